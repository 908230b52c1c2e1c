# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154 # what lib.sh and world.sh set
# life_story.sh - the life of a package, step by step: after each, the mounted tree is what
# tests/golden/NN/ says, under both prefixes, byte for byte.
#
# A test sources lib.sh and world.sh before, and says where: the database and the bucket.
# by=sync	each change is exported by a command, and another one finds nothing to do
# by=mount	it is exported when it is committed, by the mount itself
# by=watch	or by an updater without a mount, beside it
# looks=both	each step is looked at without a kernel, too; else only the end is
# hand=yes	changes are made by `pubfs set` and `pubfs advisory`; else by SQL, as any program makes them

golden=$tests/golden
site="--base-url https://pub.example.com/dart/ --runtime-version 2026.08.18"

# publish P-V TIME
publish() { intake publish --now "$2" "$golden/archives/$1.tar.gz"; }
# shellcheck disable=SC2086 # options
sync_all() { "$PUBFS" sync $site; }

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

idle() { sync_all | grep -q "0 written, 0 copied, 0 touched, 0 removed"; }
copy_tree() { rm -rf tree && cp -r "$T/mnt/." tree && prune tree; }
is_golden() { copy_tree && diff -r "$golden/$nn" tree; }

# What follows a change at once: the feed of all packages waits for its turn, and completion data for
# a full pass, of which there is none until the end.
exported() { copy_tree && only_prompt tree && diff -r wanted tree; }
only_prompt() { rm -f "$1"/*/feed.atom "$1"/*/api/package-name-completion-data; }
missed() { # NAME: what follows stands on it
	exported >"$T/.said" 2>&1
	not_ok "$1"
	exit 0
}

# Its event has woken the updater, whatever else has: a scan, or the turn of the feed, would have done
# for the tree. A mount says so at once; another process not before its next status.
noticed() { [ "$by" != mount ] || jq .updater.noticed "$T/mnt/.pubfs/status"; }
is_noticed() { [ "$by" != mount ] || [ "$(noticed)" -gt "$seen" ]; }

number=0
step() { # NAME [ARGUMENTS SQL]: the change that these commands make, in either way, or was made
	if [ $# -gt 1 ] && [ -n "${hand:-}" ]; then
		check "$1: by hand" eval "intake $2"
	elif [ $# -gt 1 ]; then
		check "$1: by SQL" sql "$3"
	fi
	number=$((number + 1))
	nn=$(printf %02d $number)
	if [ "$by" = sync ]; then
		check "$nn $1: sync" sync_all
		check "$nn $1: sync once more finds nothing to do" idle
		check "$nn $1: the mounted tree is the golden tree" is_golden
	else
		rm -rf wanted && cp -r "$golden/$nn" wanted && only_prompt wanted
		wait_until exported || missed "$nn $1: is exported"
		wait_until is_noticed || missed "$nn $1: comes by its event"
		ok "$nn $1: comes by its event"
		seen=$(noticed)
	fi
	[ "${looks:-mount}" = mount ] || look_by_commands "$nn $1"
}

if ! can_mount; then
	not_ok "mount: /dev/fuse is not here"
	exit 0
fi
publish helium-0.1.0 2026-01-01T00:00:00Z >/dev/null
publish oxygen_lamp-2.0.0-dev 2026-01-01T00:00:00Z >/dev/null
completion=api/package-name-completion-data # of a prefix the last that a full pass writes
case $by in
sync)
	check "first sync" sync_all
	;;
mount) # which makes no bucket
	# shellcheck disable=SC2086 # options
	check "first sync" "$PUBFS" sync $site --prefixes own
	;;
watch)
	# shellcheck disable=SC2086
	"$PUBFS" watch $site 2>watch.log &
	watcher=$!
	own "$watcher"
	check "it makes its bucket" wait_until "$PUBFS" ls /
	;;
esac
# shellcheck disable=SC2046,SC2086
check "mount" mount_at "$T/mnt" $([ "$by" != mount ] || echo --update $site)
if [ "$by" != sync ]; then
	check "all is exported that was there" wait_until test -e "$T/mnt/latest/$completion"
	cp "$T/mnt/latest/$completion" completion || exit 0
	seen=$(noticed)
fi

check "publish" publish oxygen-1.0.0 2026-01-02T03:04:05.678901Z
step "new package"
check "publish" publish oxygen-1.1.0+1 2026-01-03T00:00:00.5Z
step "new version"
step "discontinued" "set oxygen discontinued=true replaced_by=helium" \
	"UPDATE package SET discontinued = true, replaced_by = 'helium' WHERE name = 'oxygen'"
step "continued" "set oxygen discontinued=false" \
	"UPDATE package SET discontinued = false WHERE name = 'oxygen'"
step "retracted" "set oxygen@1.0.0 retracted=true" \
	"UPDATE package_version SET retracted = true WHERE package = 'oxygen' AND version = '1.0.0'"
step "retracted and back" "set oxygen@1.0.0 retracted=false" \
	"UPDATE package_version SET retracted = false WHERE package = 'oxygen' AND version = '1.0.0'"
step "latest retracted" "set oxygen@1.1.0+1 retracted=true" \
	"UPDATE package_version SET retracted = true WHERE package = 'oxygen' AND version = '1.1.0+1'"
step "all retracted" "set oxygen@1.0.0 retracted=true" \
	"UPDATE package_version SET retracted = true WHERE package = 'oxygen'"
# by hand they are deleted, by SQL moderated: that is the same to clients
step "version taken down" "set oxygen@1.1.0+1 deleted=true" \
	"UPDATE package_version SET moderated = true WHERE package = 'oxygen' AND version = '1.1.0+1'"
step "version reinstated" "set oxygen@1.1.0+1 deleted=false" \
	"UPDATE package_version SET moderated = false WHERE package = 'oxygen' AND version = '1.1.0+1'"
step "package taken down" "set oxygen deleted=true" \
	"UPDATE package SET moderated = true WHERE name = 'oxygen'"
step "package reinstated" "set oxygen deleted=false" \
	"UPDATE package SET moderated = false WHERE name = 'oxygen'"
printf '%s\n' '{"package":"oxygen","version":"1.2.0-beta.1","published":"2026-02-03T04:05:06Z", "extra": 1,
"pubspec": {"name": "oxygen", "version":"1.2.0-beta.1", "lone":"\ud83D","nul":"\u0000","del":"\u007f", "big":12345678901234567890,"float":1.0,"exp":1E+2,"tab":"\u0009","esc":"\u001F"}}' |
	tr '\n' ' ' >loaded.jsonl
check "load" intake load loaded.jsonl
step "archive missing"
cat >osv.json <<'J'
{"id":"GHSA-aaaa-bbbb-cccc","schema_version":"1.6.0","modified":"2026-03-04T05:06:07Z",
"published":"2026-03-04T00:00:00Z","aliases":["CVE-2026-0001"],"details":"Leaks <gas> & more",
"affected":[{"package":{"name":"oxygen","ecosystem":"Pub"},"ranges":[{"type":"SEMVER",
"events":[{"introduced":"0"},{"fixed":"1.1.0"}]}],"versions":["1.0.0"]}],"unknown_key":{"a":1},
"references":[{"url":"https://example.com/a","type":"WEB"}],"database_specific":{"cwe_ids":["CWE-1"]}}
J
synced=2031-05-06T07:08:09.123456Z
step "advisory added" "advisory --now $synced osv.json" "INSERT INTO advisory (id, osv, synced)
	VALUES ('GHSA-aaaa-bbbb-cccc', '$(cat osv.json)', '$synced');
	INSERT INTO advisory_package (advisory, package) VALUES ('GHSA-aaaa-bbbb-cccc', 'oxygen');"
step "advisory removed" "advisory --remove GHSA-aaaa-bbbb-cccc" \
	"DELETE FROM advisory WHERE id = 'GHSA-aaaa-bbbb-cccc'"
step "publisher and score" "set oxygen likes=42 granted_points=130 max_points=160 \
	download_count_30d=9876543210 'publisher=dart.dev/<&>' \
	'tags=[ \"sdk:dart\", \"license:\\u00fc/\\\"x\\\"\" ]'" \
	"UPDATE package SET likes = 42, granted_points = 130, max_points = 160,
	download_count_30d = 9876543210, publisher = 'dart.dev/<&>',
	tags = '[ \"sdk:dart\", \"license:\\u00fc/\\\"x\\\"\" ]' WHERE name = 'oxygen'"
step "unlisted" "set oxygen unlisted=true" "UPDATE package SET unlisted = true WHERE name = 'oxygen'"

fed() { cmp "$T/mnt/latest/feed.atom" "$golden/$nn/latest/feed.atom"; }
if [ "$by" != sync ]; then
	check "the feed of all packages has followed" wait_until fed
	check "no full pass has helped" cmp completion "$T/mnt/latest/$completion"
	check "a full pass" sync_all
	check "finds what waits for one, and no more" idle
	check "the mounted tree is the golden tree" is_golden
fi
[ "${looks:-mount}" = both ] || look_by_commands "at the end"
check "both prefixes are equal" diff -r "$T/mnt/latest" "$T/mnt/2026.08.18"
check "unmount" unmount "$daemon" "$T/mnt"
if [ "$by" = watch ]; then
	kill -TERM "$watcher"
	check "the updater ends well" wait "$watcher"
fi
