#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The main job on a bucket of Google Cloud Storage: the tests' own server, and what it was asked.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=server.sh
. "$tests/shell/server.sh"

golden=$tests/golden
export PUBFS_HOME="$T/home"
serve gcs/gcs_server "bucket exports"
bucket="--store gs://exports --endpoint $url"
"${PUBFS%/*}/tests/gcs/delay_proxy" 20 "${url##*:}" >port & # the same server, at a distance
proxy=$!
own "$proxy"
check "the proxy starts" wait_until test -s port
far="--endpoint http://127.0.0.1:$(cat port)"
site="--base-url https://pub.example.com --runtime-version 2026.08.18"

# shellcheck disable=SC2086 # options
on_bucket() { command=$1; shift; "$PUBFS" "$command" $bucket "$@"; }
# shellcheck disable=SC2086
sync_all() { on_bucket sync $site "$@"; }
only() { # NAME KIND...: there were some, and of these kinds alone
	only_name=$1
	shift
	curl -sf "$url/control/counts" >counts
	check "$only_name" test "$(asked all)" -gt 0 -a "$(asked all)" -eq "$(asked "$@")"
}

check "publish" "$PUBFS" publish "$golden"/archives/*.tar.gz
control reset
check "sync" sync_all
objects=$(curl -sf "$url/storage/v1/b/exports/o" | jq '.items | length')
same "a first export sends each of its objects once, and lists" "$objects $objects" \
	sh -c "echo $(asked insert) \$(($(asked all) - $(asked list)))"
check "sync by a warm index" sync_all
control reset
check "sync once more" sync_all
same "an unchanged export with a warm index asks nothing" 0 asked all
rm -r "$PUBFS_HOME/cache"
control reset
check "sync with the index lost" sync_all
only "an unchanged export with a cold index lists, and nothing else" list
check "a page of the top, and one of each prefix with at most two more (there were $(asked list))" \
	test "$(asked list)" -le 7
same "ls" "helium helium.d oxygen oxygen.d oxygen_lamp oxygen_lamp.d" \
	sh -c "'$PUBFS' ls $bucket latest/api/packages | xargs"
same "cat" "oxygen 2" sh -c \
	"'$PUBFS' cat $bucket latest/api/packages/oxygen | jq -r '\"\(.name) \(.versions | length)\"'"
on_bucket cat latest/api/packages/oxygen | jq -c '.isDiscontinued = true' >edited
check "put" on_bucket put edited latest/api/packages/oxygen
check "what was put is there" sh -c \
	"'$PUBFS' cat $bucket --ttl 0 latest/api/packages/oxygen | cmp - edited"
check "rm" on_bucket rm latest/api/packages/oxygen
fails "what was removed is gone" 3 "oxygen" on_bucket cat latest/api/packages/oxygen
check "sync brings it back" sync_all
control "fault * every=3 status=503"
sqlite3 "$PUBFS_HOME/pub.db" "UPDATE package SET discontinued = 1"
check "sync through a server that fails every third time" sync_all
control reset
check "the listing is the new one" sh -c \
	"'$PUBFS' cat $bucket latest/api/packages/oxygen | jq -e .isDiscontinued"

# bad input
fails "no such bucket" 3 "nothing" "$PUBFS" ls --store gs://nothing --endpoint "$url" /
fails "a wrong endpoint" 3 "127.0.0.1 port 1" timeout 120 \
	"$PUBFS" check --store gs://exports --endpoint http://127.0.0.1:1
same "nothing else is tried there" 7 grep -c "not tried$" .out
echo '{"type": "service_account"' >key.json
chmod 600 key.json
fails "a malformed key" 3 "key.json" on_bucket ls --key-file "$T/key.json" /
curl -sf "$url/control/service-account" >key.json
chmod 644 key.json
fails "a key that others can read" 3 "key.json" on_bucket ls --key-file "$T/key.json" /
chmod 600 key.json
control "tokens required"
check "a service account's key" on_bucket ls --ttl 0 --key-file "$T/key.json" /
control "key revoked
tokens revoked"
fails "a revoked key" 3 "gives no token to pubfs@" on_bucket ls --ttl 0 --key-file "$T/key.json" /
fails "check with a revoked key" 3 "gives no token to pubfs@" on_bucket check --key-file "$T/key.json"
same "says nothing of rights" "1 7" \
	sh -c "echo \$(grep -c '^list *fails$' .out) \$(grep -c 'not tried$' .out)"
control "key valid
clock 4200"
fails "a clock that is slow" 3 "the clock of this host is 4[0-9]* seconds slow" \
	on_bucket ls --ttl 0 --key-file "$T/key.json" /
control "clock -3600"
fails "a clock that is fast" 3 "the clock of this host is 3[0-9]* seconds fast" \
	on_bucket ls --ttl 0 --key-file "$T/key.json" /
control "clock 0
tokens optional"

if can_mount; then
	# shellcheck disable=SC2086
	check "mount, at a distance of 20 ms" mount_at "$T/mnt" $bucket $far
	packages=$T/mnt/latest/api/packages
	check "both prefixes are equal" diff -r "$T/mnt/latest" "$T/mnt/2026.08.18"
	check "a refused write" sh -c "echo '{}' >broken; ! cp broken '$packages/oxygen'"
	mkdir new
	for i in $(seq 100); do
		jq -c ".name = \"neon$i\" | .latest.pubspec.name = \"neon$i\" |
			.versions[].pubspec.name = \"neon$i\"" "$packages/helium" >"new/neon$i"
	done
	control reset
	check "cp of 100 new files" sh -c "cp new/* '$packages/'"
	same "is 100 requests" "100 100" sh -c "echo $(asked all) $(asked insert)"
	control reset
	check "cp of the same 100 files" sh -c "cp new/* '$packages/'"
	same "is none" 0 asked all
	check "they read back" sh -c "for f in new/*; do cmp \$f '$packages/'\${f#new/} || exit 1; done"
	check "unmount" unmount "$daemon" "$T/mnt"

	control "bucket big
fill big 2100 latest/api/packages/a
fill big 2100 latest/api/archives/b
reset"
	# shellcheck disable=SC2086
	check "mount a bucket of 4,200 objects" mount_at "$T/big" --store gs://big $far
	same "find sees them all" 4200 sh -c "find '$T/big' -type f | wc -l"
	check "with at most 10 requests, the mount included (there were $(asked all))" test "$(asked all)" -le 10
	check "unmount" unmount "$daemon" "$T/big"
else
	not_ok "mount: /dev/fuse is not here"
fi
kill -TERM "$proxy"
stop_servers
