#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# May 2026 (dart-lang/pub-dev#9372), from start to end: an import reads no advisories and deletes all
# of them, and later one reads no packages. By hand, beside a running mount, and by gc: each time it
# ends held, with the bucket untouched, byte for byte.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

export PUBFS_HOME="$T/home"
bucket=$PUBFS_HOME/bucket
db=$PUBFS_HOME/pub.db
own="--runtime-version 2026.05.12"
site="--base-url https://pub.example.com $own"
later="--now $(date -u -d '2 days' +%FT%TZ)"

# shellcheck disable=SC2086 # options
sync_all() { "$PUBFS" sync $site --ttl 0 "$@"; }
# shellcheck disable=SC2086 # options
gc() { "$PUBFS" gc $own $later --ttl 0 "$@"; }
count() { sqlite3 "$db" "SELECT count(*) FROM $1"; }
# import FILE: what the registry's importer does, each time: all that the feed has, and nothing else
import() {
	jq -r '"INSERT INTO advisory (id, osv, synced) VALUES (\u0027\(.id)\u0027, \u0027\(tojson)\u0027,
			\u00272026-05-01T00:00:00.000Z\u0027);
		INSERT INTO advisory_package (advisory, package) VALUES (\u0027\(.id)\u0027,
			\u0027\(.affected[0].package.name)\u0027);"' <"$1" >import.sql
	{ echo "BEGIN; DELETE FROM advisory_package; DELETE FROM advisory;"; cat import.sql; echo "COMMIT;"; } |
		sqlite3 "$db"
}
feed() { # COUNT
	seq "$1" | jq -c '{id: "GHSA-\(.)", modified: "2026-05-01T00:00:00Z", summary: "s",
		affected: [{package: {ecosystem: "Pub", name: "p\(.)"}, versions: ["1.0.0"]}]}'
}
state() { # all of the bucket: names, bytes, generations, and what else the store keeps
	(cd "$bucket" && find . -path ./.pubfs-store -prune -o -type f -print0 | sort -z |
		xargs -0 sh -c 'sha256sum "$@"; getfattr -h -d -m - "$@"; stat -c "%n %y" "$@"' -)
}
untouched() { state | cmp - whole; }

# a registry with 40 packages and 8 advisories, exported
seq 40 | jq -c '{package: "p\(.)", version: "1.0.0", published: "2026-01-01T00:00:00Z",
	pubspec: {name: "p\(.)", version: "1.0.0"}}' >packages.jsonl
check "load" "$PUBFS" load packages.jsonl
feed 8 >good.jsonl
check "the import of a day before" import good.jsonl
check "sync" sync_all
same "clients see the advisories" 1 \
	sh -c "'$PUBFS' cat latest/api/packages/p8.d/advisories | jq '.advisories | length'"
state >whole
sqlite3 "$db" "VACUUM INTO '$T/good.db'"

# the import reads nothing, and deletes all
: >empty.jsonl
check "the import that reads no advisories" import empty.jsonl
same "has deleted all of them" "0 0" sh -c "echo $(count advisory) $(count advisory_package)"
fails "sync holds it" 4 "8 advisory lists in latest/ would become empty, of 8 advisories at once" sync_all
check "the bucket is untouched" untouched
fails "it holds it again" 4 "held" sync_all
fails "a package by its name, too" 4 "held" sync_all p8
check "the bucket is still untouched" untouched
same "a dry run shows what would become empty" 16 \
	sh -c "'$PUBFS' sync $site --ttl 0 --dry-run 2>/dev/null | grep -c '^held write .*/advisories '"
same "the plan lies beside the index" 16 sh -c "grep -c '^empty ' '$PUBFS_HOME'/cache/*.sync.held"
check "gc has nothing to do with it" gc
check "the bucket is untouched by it" untouched

# the same beside a mount that follows the database
if can_mount; then
	# shellcheck disable=SC2086 # options
	check "mount --update" mount_at "$T/mnt" --update $site --ttl 0
	status() { jq -e "$1" "$T/mnt/.pubfs/status"; }
	check "it is at rest" wait_until status '.updater.passes > 2'
	check "its passes are held" status '.updater.last_result == "held" and .held.sync.items > 0'
	check "a metric is raised" grep -Eq '^pubfs_held[{]plan="sync"[}] [1-9]' "$T/mnt/.pubfs/metrics"
	check "the status says why" status '.held.sync.why | test("advisory lists in latest/ would become empty")'
	check ".pubfs/held has each item" wait_until \
		sh -c "[ \$(grep -c '^empty latest p[1-8] ' '$T/mnt/.pubfs/held') -eq 8 ]"
	check "so the import runs again" import empty.jsonl
	sqlite3 "$db" "UPDATE package SET discontinued = 1 WHERE name = 'p40'"
	discontinued() { "$PUBFS" cat --ttl 0 latest/api/packages/p40 | jq -e .isDiscontinued; }
	check "what is single goes on" wait_until discontinued
	check "unmount" unmount "$daemon" "$T/mnt"
	same "what clients see of the advisories has stayed" 8 sh -c \
		"for i in 1 2 3 4 5 6 7 8; do '$PUBFS' cat --ttl 0 latest/api/packages/p\$i.d/advisories | jq -r '.advisories[].id'; done | wc -l"
	state >whole # with p40 as it is now
else
	not_ok "there is no usable /dev/fuse: the mount was not tried"
fi

# an import of packages that reads nothing
sqlite3 "$db" "BEGIN; DELETE FROM package_version; DELETE FROM package; COMMIT"
same "an import that reads no packages" 0 count package
fails "sync holds it, too" 4 "no package at all" sync_all
fails "gc holds it" 4 "no package at all, but the bucket has some" gc
fails "and again" 4 "no package at all" gc
check "the bucket is untouched by all of it" untouched

# a good import ends it
rm -f "$db"* && cp good.db "$db"
sqlite3 "$db" "UPDATE package SET discontinued = 1 WHERE name = 'p40'"
check "with a good database nothing is held" sync_all --rebase
check "nor by gc" gc
check "nothing lies in held any more" sh -c "! ls '$PUBFS_HOME'/cache/*.held"
same "and clients see all advisories" 8 sh -c \
	"for i in 1 2 3 4 5 6 7 8; do '$PUBFS' cat --ttl 0 latest/api/packages/p\$i.d/advisories | jq -r '.advisories[].id'; done | wc -l"
