# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # what scripts/bench sets and uses
# updater.sh - what the updater costs where nothing has changed, what several hosts do together, and
# what 10,000 changes at once take.
#
# Bounds: a pass over 70,000 packages of which none has changed asks no store, and takes 0.5 s; 4
# hosts on one PostgreSQL, each with 8 jobs, export to a bucket at 20 ms 3 x as much as one in the
# same time; 64 MiB of private memory.

many=${PUBFS_BENCH_PACKAGES:-70000}
shared=${PUBFS_BENCH_SHARED:-600}
burst=${PUBFS_BENCH_BURST:-10000}
start "$work/database" "$built/tests/db/postgresql_server"
database=$(cat "$work/database")
sql() { psql -qXAt -v ON_ERROR_STOP=1 "$database" -c "SET search_path = pubfs" -c "$1"; }
new_database() {
	sql "DROP SCHEMA IF EXISTS pubfs CASCADE" 2>/dev/null
	"$pubfs" schema postgresql | psql -qX -v ON_ERROR_STOP=1 "$database" >/dev/null
}
add_packages() { # NAME COUNT: in one transaction
	sql "BEGIN; INSERT INTO package_version (package, version, pubspec)
		SELECT '$1' || i, '1.0.0', '{\"name\":\"$1' || i || '\",\"version\":\"1.0.0\"}'
		FROM generate_series(1, $2) i;
		INSERT INTO package (name) SELECT '$1' || i FROM generate_series(1, $2) i; COMMIT"
}
settled() { # until every package is exported
	until [ "$(sql "SELECT count(*) FROM package p JOIN package_change c ON c.package = p.name
		WHERE (SELECT count(*) FROM export_state s WHERE s.package = p.name
		AND s.change = c.change) < 2")" -eq 0 ]; do
		sleep 0.1
	done
}

echo
echo "idle: an event pass over $many packages, nothing changed"
new_database
add_packages p "$many"
sql "SELECT settle(1000000)"
psql -qX "$database" -c "VACUUM ANALYZE"
row "  PostgreSQL (bound: 500 ms)" "$("$built/tests/bench/idle" "$database" 20)"
mkdir "$work/sqlite"
"$pubfs" schema sqlite | sqlite3 "$work/sqlite/pub.db" >/dev/null
sqlite3 "$work/sqlite/pub.db" "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
	WHERE i < $many) INSERT INTO package_version (package, version, created, pubspec)
	SELECT 'p' || i, '1.0.0', '2026-01-02T03:04:05.678Z',
	'{\"name\":\"p' || i || '\",\"version\":\"1.0.0\"}' FROM n;
	INSERT INTO package (name) SELECT package FROM package_version"
row "  SQLite (bound: 500 ms)" "$("$built/tests/bench/idle" "sqlite:$work/sqlite/pub.db" 20)"

start_bucket
hosts= # ids
begin_host() { # NUMBER BUCKET OPTIONS...
	local number=$1 bucket=$2
	shift 2
	"$pubfs" watch "${site[@]}" --db "$database" --store "gs://$bucket" --endpoint "$far" \
		--cache "$work/cache-$bucket-$number" --log-level error "$@" &
	hosts="$hosts $!"
}
end_hosts() {
	local id
	for id in $hosts; do kill -TERM "$id"; done
	for id in $hosts; do wait "$id" || true; done
	hosts=
}
begin_site() { # BUCKET HOSTS OPTIONS...: they run, and have nothing to do
	local bucket=$1 n=$2 i
	shift 2
	new_database
	control "bucket $bucket"
	mkdir -p "$PUBFS_HOME"
	add_packages first 1
	for ((i = 1; i <= n; i++)); do begin_host "$i" "$bucket" "$@"; done
	settled
	until [ "$(sql "SELECT count(*) FROM lease WHERE name NOT LIKE '.%'")" -eq 0 ]; do sleep 0.1; done
	sleep 3
}
together() { # BUCKET HOSTS: seconds for all new packages
	begin_site "$1" "$2" --jobs 8
	add_packages p "$shared"
	seconds settled
	end_hosts
}

echo
echo "hosts: $shared new packages to a bucket at 20 ms, 8 jobs each: 1 host / 4 hosts, seconds"
for i in $(seq "$runs"); do
	one=$(together "one$i" 1)
	pair hosts "$one" "$(together "four$i" 4)"
done
pair_median hosts "at least 3"

echo
echo "burst: $burst new packages at once, on this host"
new_database
mkdir -p "$PUBFS_HOME"
add_packages first 1
"$pubfs" watch "${site[@]}" --db "$database" --log-level error &
id=$!
settled
add_packages p "$burst"
highest=0
(settled) &
while kill -0 $! 2>/dev/null; do
	now=$(private_memory $id)
	[ "$now" -gt "$highest" ] && highest=$now
	sleep 0.05
done
row "  highest private memory, KiB (bound: 65536)" "$highest"
kill -TERM $id
wait $id || true
