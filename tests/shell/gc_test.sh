#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Collecting: by `pubfs gc`, and by rm of what `.pubfs/garbage` names. What must not be collected, the
# databases and clocks that hold it, and the brake on rm.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

golden=$tests/golden
export PUBFS_HOME="$T/home"
bucket=$PUBFS_HOME/bucket
site="--base-url https://pub.example.com --runtime-version 2026.08.18"
accept="--accept 2026.08.18,2026.07.01,2026.06.01"
later="--now $(date -u -d '2 days' +%FT%TZ)" # by then all that is there now is old

# shellcheck disable=SC2086 # options
sync_all() { "$PUBFS" sync $site --ttl 0; }
# shellcheck disable=SC2086 # options
gc() { "$PUBFS" gc --runtime-version 2026.08.18 $accept $later --ttl 0 "$@"; }
sql() { sqlite3 "$PUBFS_HOME/pub.db" "$1"; }
purge() { sql "DELETE FROM package_version WHERE package = '$1'; DELETE FROM package WHERE name = '$1'"; }
packages() { # FIRST LAST: so many of them
	seq -f '%03g' "$1" "$2" | jq -R -c '{package: "p\(.)", version: "1.0.0",
		published: "2026-01-01T00:00:00Z", pubspec: {name: "p\(.)", version: "1.0.0"}}'
}
put() { # KEY: by another program
	mkdir -p "$bucket/$(dirname "$1")" && echo x >"$bucket/$1"
}
same_bytes() { diff -r "$bucket" whole; } # names, bytes and what the store keeps
keep_db() { rm -f kept.db && sql "VACUUM INTO '$T/kept.db'"; }
restore_db() { rm -f "$PUBFS_HOME"/pub.db* && cp kept.db "$PUBFS_HOME/pub.db"; }

"$PUBFS" publish "$golden"/archives/*.tar.gz >/dev/null || not_ok "publish"
packages 1 40 >many.jsonl
"$PUBFS" load many.jsonl >/dev/null || not_ok "load"
sync_all >/dev/null || not_ok "sync"

# --accept and the own version
wrong() { # NAME PATTERN OPTIONS...
	wrong_name=$1 wrong_pattern=$2
	shift 2
	fails "$wrong_name" 2 "$wrong_pattern" "$PUBFS" gc "$@"
}
wrong "gc without a runtime version" "runtime-version is needed"
wrong "an own version that is the limit" "limit" --runtime-version 2026.08.18 --accept 2026.08.18
wrong "an accepted list out of order" "from new to old" \
	--runtime-version 2026.08.18 --accept 2026.08.18,2026.06.01,2026.07.01
wrong "an accepted list without the own version" "in front" \
	--runtime-version 2026.08.18 --accept 2026.07.01,2026.06.01
fails "gc without a database" 3 "none.db" gc --db "sqlite:$T/none.db"

# nothing to do
same "nothing to do" "0 objects removed" sh -c "'$PUBFS' gc --runtime-version 2026.08.18 | grep -o '0 objects removed'"

check "as JSON it is one object" \
	sh -c "'$PUBFS' gc --runtime-version 2026.08.18 --json | jq -e '.removed == 0 and .held == 0 and .failed == 0 and (.dry_run | not)'"
fails "gc without a bucket" 3 "none" gc --store "dir:$T/none"
check "none was made" test ! -e "$T/none"

# names that are not all of them
cp -a "$bucket" whole
keep_db
sql "DELETE FROM advisory_package; DELETE FROM advisory; DELETE FROM package_version; DELETE FROM package"
fails "an empty database" 4 "no package at all" gc
check "nothing was removed" same_bytes
fails "a second time as well" 4 "no package at all" gc
check "it is in .held" sh -c "cat '$PUBFS_HOME'/cache/*.gc.held | grep -q '^remove latest p001 '"
fails "also when it is only planned" 4 "no package at all" gc --dry-run
restore_db
sql "DELETE FROM package_version WHERE package > 'p010'; DELETE FROM package WHERE name > 'p010'"
fails "a database that has lost most of its packages" 4 "another registry's" gc
"$PUBFS" load --db "sqlite:$T/other.db" - >/dev/null <<J
{"package": "other", "version": "1.0.0", "published": "2026-01-01T00:00:00Z", "pubspec": {"name": "other"}}
J
fails "another registry's database" 4 "knows 0 of the 43 packages" gc --db "sqlite:$T/other.db"
restore_db
page=$(sql "PRAGMA page_size")
pages=$(($(stat -c %s kept.db) / page))
for n in $(seq 2 "$pages"); do # whichever page it is that cannot be read
	rm -f torn.db* && cp kept.db torn.db
	dd if=/dev/urandom of=torn.db bs="$page" seek=$((n - 1)) count=1 conv=notrunc 2>/dev/null
	gc --db "sqlite:$T/torn.db" >torn.out 2>&1
	status=$?
	if ! same_bytes >/dev/null; then
		echo "page $n of $pages, status $status" >"$T/.said"
		cat torn.out >>"$T/.said"
		not_ok "page $n of the database is damaged"
		break
	fi
done
check "a damaged page of the database, whichever, removes nothing" same_bytes
rm -f torn.db* && cp kept.db torn.db && truncate -s $((page * 3)) torn.db
fails "a database that ends half-way" 3 "" gc --db "sqlite:$T/torn.db"
check "nothing was removed, either" same_bytes

# clocks
purge p001
at() { # TIME
	"$PUBFS" gc --runtime-version 2026.08.18 --ttl 0 --now "$(date -u -d "$1" +%FT%TZ)"
}
fails "a clock that is a year ahead" 4 "the clock is wrong" at "1 year"
check "a clock that is a year behind finds nothing old" at "-1 year"
check "nothing was removed by it" same_bytes

# a mass
for p in $(seq -f 'p%03g' 2 11); do purge "$p"; done
fails "eleven packages of 43" 4 "11 of the 43 packages in latest/" gc
check "they stay" same_bytes
gc --dry-run >plan 2>/dev/null
check "the plan says what is held, and why" grep -q \
	"^held remove latest/api/packages/p001 (generation [0-9]*): its package is not in the database" plan
check "and how much of it there is" grep -q "^in all: held remove listing: 22, [0-9]* bytes" plan
gc --dry-run --json >plan.json 2>/dev/null
check "as JSON too" jq -s -e \
	'[.[] | select(.action == "remove")] | length == 154 and all(.held and .generation != null)' plan.json
check "a dry run removes nothing" same_bytes
gc --max-removals 11 --log-level info >out 2>said
same "more may be allowed" 0 echo $?
same "each removal is a line of the log, with its generation and why" 154 sh -c \
	"grep -c 'removed .* (was [0-9]*): its package is not in the database$' said"
check "then they are gone" sh -c "! test -e '$bucket/latest/api/packages/p001'"
for p in $(seq -f 'p%03g' 12 22); do purge "$p"; done
fails "the next eleven" 4 "11 of the 32 packages" gc
purge p023
check "what is released is what was held" sh -c "cd '$T' && '$PUBFS' gc --runtime-version 2026.08.18 $later --ttl 0 --allow-mass-change"
check "it is gone" sh -c "! test -e '$bucket/latest/api/packages/p012'"
check "and nothing is held any more" sh -c "! ls '$PUBFS_HOME'/cache/*.gc.held"

# the same by rm
purge helium
sql "DELETE FROM package_version WHERE package = 'oxygen' AND version = '1.0.0'"
sync_all >/dev/null 2>&1
put 2026.05.31/api/packages/old
put 2026.05.31/api/archives/old-1.0.0+1.tar.gz
put 2026.05.31/what/ever
put 2026.06.01/api/packages/limit
put other/api/packages/x
put latest/stray
put latest/api/archives/helium-1.0.0.zip
cp -a "$PUBFS_HOME" copy
PUBFS_HOME=$T/copy sync_all >/dev/null 2>&1 # of a store in another place nothing is recorded yet
same "a collection removes what it should" "21 objects removed" \
	sh -c "PUBFS_HOME='$T/copy' '$PUBFS' gc --runtime-version 2026.08.18 $accept $later --ttl 0 | grep -o '^[0-9]* objects removed'"
if can_mount; then
	m=$T/mnt
	# shellcheck disable=SC2086 # options
	check "mount" mount_at "$m" --db "sqlite:$PUBFS_HOME/pub.db" --runtime-version 2026.08.18 $accept $later --ttl 0 --log-level info
	cat "$m/.pubfs/garbage" >garbage
	same "garbage names as many" 21 sh -c "wc -l <garbage"
	check "rm of what it names is the whole collection" \
		sh -c "cd '$m' && xargs -r -d '\n' rm -- < .pubfs/garbage"
	check "what is left is what gc leaves" \
		diff -r -x .pubfs-store "$bucket" "$T/copy/bucket"
	same "then there is none" 0 sh -c "wc -c <'$m/.pubfs/garbage'"
	same "and gc finds nothing more" "0 objects removed" \
		sh -c "'$PUBFS' gc --runtime-version 2026.08.18 $accept $later --ttl 0 | grep -o '^0 objects removed'"
	check "each removal is in .pubfs/changes" \
		sh -c "jq -s -e '[.[] | select(.action == \"remove\")] | length == 21' '$m/.pubfs/changes'"
	check "garbage is not counted by the brake on rm" \
		sh -c "jq -e '.rm_brake.last_hour == 0' '$m/.pubfs/status'"

	keep_db
	sql "DELETE FROM package_version; DELETE FROM package"
	same "what is held is no garbage" 0 sh -c "wc -c <'$m/.pubfs/garbage'"
	gc >/dev/null 2>&1
	check "it is in .pubfs/held" grep -q "^remove latest oxygen " "$m/.pubfs/held"
	sqlite3 "$PUBFS_HOME/pub.db" ".restore kept.db"
	check "and with the names there again, it is held no more" gc
	same "nor in .pubfs/held" 0 sh -c "wc -c <'$m/.pubfs/held'"

	check "rm -r of a prefix" rm -r "$m/2026.06.01"
	check "it is gone" sh -c "! test -e '$bucket/2026.06.01/api/packages/limit'"
	same "one line of the log an object, with its generation" 1 sh -c \
		"grep -c 'removed 2026.06.01/api/packages/limit hand (was [0-9]*): removed by hand' '$m.log'"

	# the brake on rm
	for p in $(seq -f 'p%03g' 24 33); do rm "$m/latest/api/packages/$p"; done
	check "ten go" sh -c "! test -e '$bucket/latest/api/packages/p033'"
	check "the eleventh is held" sh -c "! rm '$m/latest/api/packages/p034' 2>rm.err"
	check "with EPERM" grep -q "Operation not permitted" rm.err
	check "the log names the release" grep -q "p034 was not removed.*--unlimited-rm" "$m.log"
	check "so does the status" sh -c \
		"jq -e '.rm_brake | .refused == 1 and .last_hour == 10 and .limit == 10 and .release == \"--unlimited-rm\"' '$m/.pubfs/status'"
	check "other prefixes are free" rm "$m/2026.08.18/api/packages/p034"
	check "a rename away is one, too" \
		sh -c "! mv '$m/latest/api/packages/p035.d/advisories' '$m/latest/api/packages/p035.d/x'"
	fails "pubfs rm counts with it" 4 "p036 was not removed" \
		"$PUBFS" rm --db "sqlite:$PUBFS_HOME/pub.db" latest/api/packages/p036
	check "without a database it does not" "$PUBFS" rm latest/api/packages/p036
	check "nor if it is told not to" \
		"$PUBFS" rm --db "sqlite:$PUBFS_HOME/pub.db" --unlimited-rm latest/api/packages/p037
	check "unmount" unmount "$daemon" "$m"
	check "mount with --unlimited-rm" \
		mount_at "$m" --db "sqlite:$PUBFS_HOME/pub.db" --unlimited-rm
	check "there it is let pass" rm "$m/latest/api/packages/p034"
	check "and the status says that nothing is limited" \
		sh -c "jq -e '.rm_brake == null' '$m/.pubfs/status'"
	check "unmount that, too" unmount "$daemon" "$m"
	check "mount without a database" mount_at "$m"
	check "there nothing is limited" rm "$m/latest/api/packages/p038"
	same "nor anything garbage" 0 sh -c "wc -c <'$m/.pubfs/garbage'"
	check "unmount the last one" unmount "$daemon" "$m"
else
	not_ok "there is no usable /dev/fuse: rm was not tried"
fi

# once a day, beside the updater
purge p039
check "p039 is there" test -e "$bucket/latest/api/packages/p039"
put 2026.05.30/x
# shellcheck disable=SC2086 # options
"$PUBFS" watch $site $accept $later --ttl 0 >watch.log 2>&1 &
watch=$!
own "$watch"
check "watch collects a deleted package" wait_until test ! -e "$bucket/latest/api/packages/p039"
check "and an old prefix" wait_until test ! -e "$bucket/2026.05.30/x"
kill -TERM "$watch"
check "watch ends" wait "$watch"
