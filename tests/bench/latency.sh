# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # what scripts/bench sets and uses
# latency.sh - from the commit in PostgreSQL to the last of the two prefixes, both times from one
# clock: 1,000 changes at 20 a second, each of a package of its own.
#
# Bounds: a retraction takes 1 round trip to the bucket, a new version 2, a new package 3 (archive,
# advisories, listing), and 50 ms more at the median, 250 ms more at 99 %. The other documents of a
# package follow the listing; they have no bound, and are shown. 64 MiB of private memory.
#
# The server is the one of the tests, which does not wait for its disk. The archives were added by
# `pubfs publish`, as a registry on this host would, before the row that names them.

many=${PUBFS_BENCH_CHANGES:-1000}
rate=${PUBFS_BENCH_RATE:-20}
start_bucket "bucket bucket
bucket archives"
start "$work/database" "$built/tests/db/postgresql_server"
database=$(cat "$work/database")

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$database" -c "SET search_path = pubfs" -c "$1"; }
new_version() { # PACKAGE VERSION
	printf "INSERT INTO package_version (package, version, pubspec) VALUES ('%s', '%s', '%s');" \
		"$1" "$2" "{\"name\":\"$1\",\"version\":\"$2\"}"
}
# The changes, one a line, and what is there before them.
say_changes() {
	local i
	for ((i = 0; i < many; i++)); do
		case $((i % 3)) in
		0) printf "retraction p%d\tUPDATE package_version SET retracted = true WHERE package = 'p%d'\n" $i $i ;;
		1) printf "new-version p%d\t%s\n" $i "$(new_version p$i 1.1.0)" ;;
		2) printf "new-package p%d\tINSERT INTO package (name) VALUES ('p%d');%s\n" $i $i "$(new_version p$i 1.0.0)" ;;
		esac
	done
}
# NAME MICROSECONDS of each object, the name as in the bucket
objects_far() {
	local page=''
	while :; do
		curl -sf "$near/storage/v1/b/bucket/o?maxResults=1000${page:+&pageToken=$page}" >"$work/page"
		jq -r '.items[]? | "\(.name) \((.updated[0:19] + "Z" | fromdate) * 1000 +
			(.updated[20:23] | tonumber))000"' "$work/page"
		page=$(jq -r '.nextPageToken // "" | @uri' "$work/page")
		[ -n "$page" ] || break
	done
}
objects_near() { find "$PUBFS_HOME/bucket" -type f -printf '%P %C@\n' | sed 's|\.d/|/|' | awk '{ printf "%s %.0f\n", $1, $2 * 1000000 }'; }
# of each change that is whole in both prefixes: its kind, milliseconds to the listing, to the last document
delays() { # FILE-OF-COMMITS FILE-OF-OBJECTS
	awk 'NR == FNR { kind[$2] = $1; at[$2] = $3; next }
		{ n = split($1, part, "/"); p = part[4]; sub(/-.*/, "", p) }
		!(p in at) || $2 < at[p] { next }
		part[3] == "archives" || n == 4 || part[5] == "advisories" {
			if ($2 > routes[p]) routes[p] = $2 }
		n == 4 && part[3] == "packages" { listings[p]++ }
		$2 > last[p] { last[p] = $2 }
		END { for (p in at) if (listings[p] == 2) printf "%s %.1f %.1f\n",
			kind[p], (routes[p] - at[p]) / 1000, (last[p] - at[p]) / 1000 }' "$1" "$2"
}
quantiles() { # KIND COLUMN FILE
	awk -v kind="$1" -v c="$2" '$1 == kind { print $c }' "$3" | sort -n | awk '{ v[NR] = $1 }
		END { h = int((NR + 1) / 2); n = int(NR * 0.99 + 0.999999)
		printf "%7.1f %7.1f %7.1f", v[h], v[n], v[NR] }'
}
waiting() {
	sql "SELECT count(*) FROM package p JOIN package_change c ON c.package = p.name
		WHERE (SELECT count(*) FROM export_state s WHERE s.package = p.name
		AND s.change = c.change) < 2"
}
settled() { until [ "$(waiting)" -eq 0 ]; do sleep 0.2; done; }
processor() { awk '{ print ($14 + $15) / 100 }' "/proc/$1/stat"; }

prepare() { # OPTIONS...: the database, the archives and the bucket before the changes
	local i
	rm -rf "$PUBFS_HOME" "$work/made"
	mkdir -p "$PUBFS_HOME/bucket" "$work/made"
	sql "DROP SCHEMA IF EXISTS pubfs CASCADE" 2>/dev/null
	"$pubfs" schema postgresql | psql -qX -v ON_ERROR_STOP=1 "$database" >/dev/null
	awk -v n="$many" 'BEGIN { for (i = 0; i < n; i++) {
		print "p" i, "1.0.0"; if (i % 3 == 1) print "p" i, "1.1.0" } }' |
		"$built/tests/bench/archives" "$work/made"
	find "$work/made" -name '*.gz' -print0 | xargs -0 "$pubfs" publish "$@" >/dev/null
	for ((i = 0; i < many; i++)); do
		[ $((i % 3)) -eq 2 ] || echo "INSERT INTO package (name) VALUES ('p$i'); $(new_version p$i 1.0.0)"
	done | psql -qX -v ON_ERROR_STOP=1 "$database" -c "SET search_path = pubfs" -f -
}
measure() { # COMMAND-TO-LIST DISTANCE STORE-OPTIONS...
	local list=$1 distance=$2 watcher before kind steps=0 bound
	shift 2
	"$pubfs" watch "${site[@]}" --db "$database" "$@" --log-level error &
	watcher=$!
	until [ "$("$list" | grep -c 'latest/api/packages/[^/]*$')" -ge $((many * 2 / 3)) ]; do sleep 0.5; done
	settled
	sleep 6 # the feed of all packages has had its turn
	before=$(processor $watcher)
	control reset
	say_changes >"$work/changes"
	"$built/tests/bench/commits" "$database" "$rate" <"$work/changes" |
		tr '\t' ' ' >"$work/commits"
	settled
	sleep 1
	"$list" >"$work/objects"
	delays "$work/commits" "$work/objects" >"$work/delays"
	[ "$(wc -l <"$work/delays")" -eq "$many" ] || { echo "bench: some changes are missing" >&2; exit 1; }
	row "  milliseconds, p50 p99 max (bounds)" "     to the listing   to the last document"
	for kind in retraction new-version new-package; do
		steps=$((steps + 1))
		bound=$((steps * distance + 50)),$((steps * distance + 250))
		row "  $kind ($bound)" "$(quantiles $kind 2 "$work/delays")  $(quantiles $kind 3 "$work/delays")"
	done
	row "  processor time, seconds" "$(awk "BEGIN { print $(processor $watcher) - $before }")"
	row "  private memory, KiB; requests" "$(private_memory $watcher); $(count all)"
	kill -TERM $watcher
	wait $watcher || true
}

echo
echo "$many commits, $rate a second, to a gs:// bucket at 20 ms"
prepare --archives gs://archives --endpoint "$near"
measure objects_far 20 --store gs://bucket --archives gs://archives --endpoint "$far"
echo
echo "the same to a folder of this host"
prepare
measure objects_near 0
