#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A gs:// bucket that lacks rights, hangs, or holds what others put there.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=server.sh
. "$tests/shell/server.sh"

export PUBFS_HOME="$T/home"
serve gcs/gcs_server "bucket scratch" "bucket others"

pubfs() { command=$1; shift; "$PUBFS" "$command" --endpoint "$url" "$@"; }
objects() { curl -sf "$url/storage/v1/b/$1/o" | jq -r '.items // [] | length'; }

# rights
check "check" sh -c "'$PUBFS' check --endpoint '$url' --store gs://scratch >table"
same "everything works" "8" sh -c "grep -c ' works$' table"
same "nothing else is in the table" "8" sh -c "wc -l <table"
same "nothing is left behind" 0 objects scratch
# without RIGHT TRIAL...: those trials are refused for it, and the status says so
without() {
	right=$1
	shift
	control "reset
deny $right"
	pubfs check --store gs://scratch >table 2>said
	check "without $right: the status is 3" test $? -eq 3
	for trial; do
		check "without $right: '$trial' is refused for it" \
			grep -q "^$trial *refused: it needs $right\$" table
	done
	same "without $right: nothing else is refused" "$#" sh -c "grep -c ' refused: ' table"
}
without storage.objects.list list
without storage.objects.get get copy
without storage.objects.update "change of metadata"
without storage.objects.create create
check "what needs an object is not tried" test "$(grep -c 'not tried$' table)" -eq 6
without storage.objects.delete overwrite delete
check "what could not be removed is named" grep -q "gs://scratch/.pubfs-check-" said
control "reset
fault insert skip=1 careless"
fails "a store that does not mind conditions" 3 "a condition that does not hold was ignored" \
	pubfs check --store gs://scratch
same "is found out" 1 grep -c "^conditional create *fails$" .out
control "reset"
fails "a bucket that is not there" 3 "no bucket nothing .*provision --store gs://nothing" pubfs ls --store gs://nothing /

# making it
same "provision" "gs://made: made" pubfs provision --store gs://made --project p \
	--location EUROPE-WEST1 --class NEARLINE
same "provision once more" "gs://made: it is there, nothing was changed" \
	pubfs provision --store gs://made --project p --location EUROPE-WEST1
same "it is as it was asked for" "EUROPE-WEST1 NEARLINE true" sh -c "curl -sf '$url/storage/v1/b/made' |
	jq -r '\"\(.location) \(.storageClass) \(.iamConfiguration.uniformBucketLevelAccess.enabled)\"'"

# what others put there
# place NAME FILE [MEMBERS]: with these members of the resource besides
place() {
	{
		printf -- '--edge\r\nContent-Type: application/json\r\n\r\n'
		jq -cn --arg name "$1" "{name: \$name${3:+, $3}}"
		printf -- '\r\n--edge\r\nContent-Type: text/plain\r\n\r\n'
		cat "$2"
		printf -- '\r\n--edge--\r\n'
	} >body
	curl -sf -o answer -H "Content-Type: multipart/related; boundary=edge" --data-binary @body \
		"$url/upload/storage/v1/b/others/o?uploadType=multipart" || not_ok "place $1"
}
other() { command=$1; shift; pubfs "$command" --store gs://others "$@"; }
gz='contentEncoding: "gzip"'
in=latest/api/packages
echo one >one
echo two >two
: >empty
gzip -n <one >one.gz
gzip -n <two >two.gz
cat one.gz two.gz >both.gz
cat one two >both
head -c -3 one.gz >cut.gz
{ head -c -4 one.gz; printf '\377\377\377\177'; } >liar.gz
head -c 300 /dev/zero | tr '\0' a >long
place $in/plain one
place $in/packed one.gz "$gz"
place $in/members both.gz "$gz"
place $in/cut cut.gz "$gz"
place $in/liar liar.gz "$gz"
place $in/no_gzip one "$gz"
place $in/brotli one 'contentEncoding: "br"'
place $in/empty empty
place $in/empty_gzip empty "$gz"
place $in/huge one.gz "$gz"', metadata: {"decoded-size": "5497558138880"}'
place $in/negative one.gz "$gz"', metadata: {"decoded-size": "-4", "sha256": "zz", "validated": "x"}'
place $in/many one.gz "$gz"', metadata: {"decoded-size": "many"}'
place "$in//twice" one
place "latest/../up" one
place "/root" one
place "latest/" one
place "latest/a	b" one
place "latest/$(cat long)" one
control "vast others latest/api/archives/vast-1.0.0.tar.gz 5497558138880"
# reads NAME FILE: the object's decoded bytes are the file's
reads() { other cat "$in/$1" >decoded && cmp decoded "$2"; }
check "no metadata at all" reads plain one
check "gzip without our metadata" reads packed one
check "gzip of two members" reads members both
check "a negative size in the metadata" reads negative one
check "a size that is no number" reads many one
check "an empty object" reads empty empty
control reset
same "ls" "brotli cut empty empty_gzip huge liar many members negative no_gzip packed plain" \
	sh -c "'$PUBFS' ls --endpoint '$url' --store gs://others $in | xargs"
same "what no path can show fails nothing" "api" sh -c "'$PUBFS' ls --endpoint '$url' --store gs://others latest"
control reset
check "read once more" reads packed one
same "a body that was read is not asked for again" 0 asked all
fails "cut gzip" 3 "not whole gzip" other cat $in/cut
fails "gzip of a wrong length" 3 "not whole gzip" other cat $in/liar
fails "gzip that is none" 3 "not whole gzip" other cat $in/no_gzip
fails "an empty object that says gzip" 3 "not whole gzip" other cat $in/empty_gzip
fails "an encoding that is foreign" 3 "Content-Encoding" other cat $in/brotli
size_of() { other stat --json "$1" | jq .size; }
same "the size of gzip is that of its end" 4 size_of $in/packed
same "whatever is said of a size, the bytes are those that are there" "one" other cat $in/huge

control "fault list every=1 spin"
fails "a listing that never ends" 3 "the listing of gs://others has no end" other ls --ttl 0 $in
control "reset
fault list every=1 garbage"
fails "a sign-in page in place of a listing" 3 "does not answer as Google Cloud Storage" other ls --ttl 0 $in
control "reset
fault list every=1 size=5497558138880"
same "5 TiB of each in a listing" 5497558138880 sh -c "'$PUBFS' stat --json --ttl 0 --endpoint '$url' \
	--store gs://others --cache '$T/other-cache' $in/plain | jq .size"
control reset

if can_mount; then
	check "mount" mount_at "$T/mnt" --store gs://others --endpoint "$url" --cache "$T/mnt-cache"
	# shows NAME FILE: whatever its size was said to be before, all of it is read, and no more
	shows() {
		f=$T/mnt/$in/$1
		stat -c %s "$f" >/dev/null && cat "$f" >seen && cmp seen "$2" &&
			test "$(wc -c <"$f")" -eq "$(wc -c <"$2")" && cp "$f" seen && cmp seen "$2"
	}
	control "fault read times=1000 hash"
	check "mounted: a length that cannot be read is EIO" sh -c \
		"stat '$T/mnt/$in/packed' 2>&1 | grep -q 'Input/output error'"
	control reset
	check "mounted: gzip without our metadata" shows packed one
	check "mounted: gzip of two members" shows members both
	check "mounted: gzip that claims 5 TiB" shows huge one
	check "mounted: a negative size in the metadata" shows negative one
	check "mounted: no metadata at all" shows plain one
	check "mounted: an empty object" shows empty empty
	for name in cut liar no_gzip empty_gzip brotli; do
		check "mounted: $name is EIO" sh -c "cat '$T/mnt/$in/$name' 2>&1 >/dev/null |
			grep -q 'Input/output error'"
	done
	# 5 TiB that nobody holds: each line of 16 bytes is the number of its first one
	vast=$T/mnt/latest/api/archives/vast-1.0.0.tar.gz tib5=5497558138880
	at() { printf '%015x' "$1"; }
	from() { tail -c "+$(($1 + 1))" "$vast" | head -c "$2"; }
	same "mounted: 5 TiB are that long" $tib5 stat -c %s "$vast"
	same "mounted: the end of 5 TiB" "$(at $((tib5 - 16)))" tail -c 16 "$vast"
	same "mounted: the middle of 5 TiB" "$(at $((tib5 / 2)))" from $((tib5 / 2)) 16
	from $((tib5 / 2 + 5)) 100000007 >part
	expect_part() { # awk has not so long numbers: the half of 5 TiB is 280 and 8 zeros
		awk 'BEGIN { for (i = 0; i <= 6250001; i++) printf "0000280%08x\n", 16 * i }' |
			tail -c +6 | head -c 100000007 | cmp - part
	}
	check "mounted: 100 MB from the middle of 5 TiB, from an odd byte on" expect_part
	same "mounted: behind the end of 5 TiB there is nothing" 0 sh -c \
		"dd if='$vast' bs=1M iflag=skip_bytes skip=$tib5 status=none | wc -c"
	! memory_counts || check "mounted: no memory holds what was read of it" test \
		"$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$daemon/status")" -lt 65536
	same "mounted: what no path can show is on record" 5 \
		sh -c "grep -c 'no path can' '$T/mnt/.pubfs/unmapped'"
	check "unmount" unmount "$daemon" "$T/mnt"
else
	not_ok "mount: /dev/fuse is not here"
fi

# Ctrl-C: a request that hangs is not waited for, nor sent again. What a shell's & turned off is on.
hangs() { was_asked "$1" 1; }
# interrupted NAME KIND REQUESTS STATUS COMMAND...: it hangs in a request of that kind until the signal
interrupted() {
	what=$1 kind=$2 most=$3 wanted=$4
	shift 4
	control "reset
fault $kind every=1 delay=600000"
	env --default-signal=INT "$@" >out 2>said &
	victim=$!
	own "$victim"
	check "$what hangs" wait_until hangs "$kind"
	kill -INT "$victim"
	wait "$victim"
	same "$what ends with status $wanted" "$wanted" echo $?
	check "$what has not asked again" test "$(asked "$kind")" -le "$most"
	control "end-delays
reset"
}
remote="--endpoint $url --store gs://others"
# shellcheck disable=SC2086 # options
interrupted "cat" read 1 130 "$PUBFS" cat $remote --cache-size 0 $in/plain
# shellcheck disable=SC2086
interrupted "ls" list 1 130 "$PUBFS" ls $remote --ttl 0 $in
golden=$tests/golden/archives
check "publish" "$PUBFS" publish "$golden/helium-0.1.0.tar.gz"
# shellcheck disable=SC2086
interrupted "sync" insert 2 3 "$PUBFS" sync --endpoint "$url" --store gs://made --jobs 1 --base-url https://pub.example.com \
	--runtime-version 2026.08.18
check "sync says so" grep -q "stopping" said
stop_servers
