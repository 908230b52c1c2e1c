# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154 # what lib.sh sets
# life_story.sh - the life of a package, step by step: after each, the mounted tree and the tree
# without a kernel are what tests/golden/NN/ says, under both prefixes, byte for byte.
#
# A test sources lib.sh before; PUBFS_CONFIG may name a file with other stores than the default ones.
# looks=mount: only the mounted tree is looked at in each step, which is quicker; without a kernel it
# is at the end. database=URL: of PostgreSQL, which PUBFS_CONFIG names too;
# intake=FILE: the config file of those who write packages there.

golden=$tests/golden
export PUBFS_HOME="$T/home"
site="--base-url https://pub.example.com/dart/ --runtime-version 2026.08.18"

sql() {
	if [ -n "${database:-}" ]; then
		psql -qX -v ON_ERROR_STOP=1 -c "SET search_path = pubfs" -c "$1" "$database"
	else
		sqlite3 "$PUBFS_HOME/pub.db" "$1"
	fi
}
# publish P-V TIME
publish() { "$PUBFS" publish ${intake:+--config "$intake"} --now "$2" "$golden/archives/$1.tar.gz"; }
# shellcheck disable=SC2086 # options
sync_all() { "$PUBFS" sync $site "$@"; }

# Prints a tree through ls, stat and cat alone into a folder of plain files.
copy_by_commands() { # FROM TO
	mkdir -p "$2"
	"$PUBFS" ls "$1" | sed "s,^,${1%/}/," | xargs -r -d '\n' "$PUBFS" stat --json |
		jq -r 'if .is_dir then "folder" else "file" end + " " + .path' |
		while read -r kind path; do
			to=$2/${path##*/}
			case $kind in
			folder) copy_by_commands "$path" "$to" ;;
			*) "$PUBFS" cat "$path" >"$to" || echo "cat failed" >>"$to" ;;
			esac
		done
}

prune() { find "$1" -mindepth 1 -type d -empty -delete; } # folders that git does not keep

look_by_commands() { # NAME
	rm -rf copy && copy_by_commands / copy && prune copy
	check "$1: ls and cat show the golden tree" diff -r "$golden/$nn" copy
}

number=0
step() { # NAME: after the change was made
	number=$((number + 1))
	nn=$(printf %02d $number)
	check "$nn $1: sync" sync_all
	check "$nn $1: sync once more finds nothing to do" \
		sh -c '"$1" sync $2 | grep -q "0 written, 0 copied, 0 touched, 0 removed"' - "$PUBFS" "$site"
	[ "${looks:-both}" = mount ] || look_by_commands "$nn $1"
	if can_mount; then
		rm -rf tree && cp -r "$T/mnt/." tree && prune tree
		check "$nn $1: the mounted tree is the golden tree" diff -r "$golden/$nn" tree
	fi
}

publish helium-0.1.0 2026-01-01T00:00:00Z >/dev/null
publish oxygen_lamp-2.0.0-dev 2026-01-01T00:00:00Z >/dev/null
check "first sync" sync_all
if can_mount; then
	check "mount" mount_at "$T/mnt"
else
	not_ok "mount: /dev/fuse is not here"
fi

check "publish" publish oxygen-1.0.0 2026-01-02T03:04:05.678901Z
step "new package"
check "publish" publish oxygen-1.1.0+1 2026-01-03T00:00:00.5Z
step "new version"
sql "UPDATE package SET discontinued = true, replaced_by = 'helium' WHERE name = 'oxygen'"
step "discontinued"
sql "UPDATE package SET discontinued = false WHERE name = 'oxygen'"
step "continued"
sql "UPDATE package_version SET retracted = true WHERE package = 'oxygen' AND version = '1.0.0'"
step "retracted"
sql "UPDATE package_version SET retracted = false WHERE package = 'oxygen' AND version = '1.0.0'"
step "retracted and back"
sql "UPDATE package_version SET retracted = true WHERE package = 'oxygen' AND version = '1.1.0+1'"
step "latest retracted"
sql "UPDATE package_version SET retracted = true WHERE package = 'oxygen'"
step "all retracted"
sql "UPDATE package_version SET moderated = true WHERE package = 'oxygen' AND version = '1.1.0+1'"
step "version moderated"
sql "UPDATE package_version SET moderated = false WHERE package = 'oxygen' AND version = '1.1.0+1'"
step "version reinstated"
sql "UPDATE package SET moderated = true WHERE name = 'oxygen'"
step "package moderated"
sql "UPDATE package SET moderated = false WHERE name = 'oxygen'"
step "package reinstated"
printf '%s\n' '{"package":"oxygen","version":"1.2.0-beta.1","published":"2026-02-03T04:05:06Z", "extra": 1,
"pubspec": {"name": "oxygen", "version":"1.2.0-beta.1", "lone":"\ud83D","nul":"\u0000","del":"\u007f", "big":12345678901234567890,"float":1.0,"exp":1E+2,"tab":"\u0009","esc":"\u001F"}}' |
	tr '\n' ' ' >loaded.jsonl
# shellcheck disable=SC2086 # an option, or none
check "load" "$PUBFS" load ${intake:+--config "$intake"} loaded.jsonl
step "archive missing"
cat >osv.json <<'J'
{"id":"GHSA-aaaa-bbbb-cccc","schema_version":"1.6.0","modified":"2026-03-04T05:06:07Z",
"published":"2026-03-04T00:00:00Z","aliases":["CVE-2026-0001"],"details":"Leaks <gas> & more",
"affected":[{"package":{"name":"oxygen","ecosystem":"Pub"},"ranges":[{"type":"SEMVER",
"events":[{"introduced":"0"},{"fixed":"1.1.0"}]}],"versions":["1.0.0"]}],"unknown_key":{"a":1},
"references":[{"url":"https://example.com/a","type":"WEB"}],"database_specific":{"cwe_ids":["CWE-1"]}}
J
sql "INSERT INTO advisory (id, osv, synced)
	VALUES ('GHSA-aaaa-bbbb-cccc', '$(cat osv.json)', '2031-05-06T07:08:09.123456Z');
	INSERT INTO advisory_package (advisory, package) VALUES ('GHSA-aaaa-bbbb-cccc', 'oxygen');"
step "advisory added"
sql "DELETE FROM advisory WHERE id = 'GHSA-aaaa-bbbb-cccc'"
step "advisory removed"
sql "UPDATE package SET likes = 42, granted_points = 130, max_points = 160,
	download_count_30d = 9876543210, publisher = 'dart.dev/<&>',
	tags = '[ \"sdk:dart\", \"license:\\u00fc/\\\"x\\\"\" ]' WHERE name = 'oxygen'"
step "publisher and score"
sql "UPDATE package SET unlisted = true WHERE name = 'oxygen'"
step "unlisted"

[ "${looks:-both}" = both ] || look_by_commands "at the end"
if can_mount; then
	check "both prefixes are equal" diff -r "$T/mnt/latest" "$T/mnt/2026.08.18"
	check "unmount" unmount "$daemon" "$T/mnt"
fi
