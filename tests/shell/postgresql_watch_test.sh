#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# watch on PostgreSQL: each kind of change is exported when it is committed, by two hosts, one of
# which is killed ten times under load.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

"${PUBFS%/*}/tests/db/postgresql_server" >"$T/url" 2>"$T/why" &
server=$!
processes="$processes $server"
until [ -s "$T/url" ] || ! kill -0 "$server" 2>/dev/null; do
	sleep 0.05
done
if [ ! -s "$T/url" ]; then
	if [ "${CI:-}" = true ]; then
		not_ok "PostgreSQL: $(cat "$T/why")"
	else
		skip "PostgreSQL" "$(cat "$T/why")"
	fi
	exit 0
fi
database=$(cat "$T/url")
export PUBFS_HOME="$T/home"
bucket=$PUBFS_HOME/bucket

sql() { psql -qXAt -v ON_ERROR_STOP=1 "$database" -c "SET search_path = pubfs" -c "$1"; }
"$PUBFS" schema postgresql | psql -qX -v ON_ERROR_STOP=1 "$database" >/dev/null
psql -qX -v ON_ERROR_STOP=1 "$database" >/dev/null -c "CREATE ROLE exporter LOGIN" \
	-c "SELECT pubfs.grant_export('exporter')"
mkdir -p "$bucket" "$PUBFS_HOME"
printf 'db = %s\n' "$(echo "$database" | sed "s|//[^@]*@|//exporter@|")" >pubfs.conf
watching() {
	"$PUBFS" watch --config "$T/pubfs.conf" --base-url https://pub.example.com \
		--runtime-version 2026.08.18 --ttl 0 2>>"$T/log" &
	watcher=$!
	processes="$processes $watcher"
}
has() { [ -e "$bucket/$1" ]; }
has_not() { ! has "$1"; }
shows() { "$PUBFS" cat --ttl 0 "$1" | grep -q "$2"; }
ended() { # ID
	wait "$1"
}

sql "INSERT INTO package (name) VALUES ('oxygen');
	INSERT INTO package_version (package, version, pubspec)
	VALUES ('oxygen', '1.0.0', '{\"name\":\"oxygen\",\"version\":\"1.0.0\"}')"
watching
first=$watcher
check "what is there is exported" wait_until has latest/api/packages/oxygen
sql "UPDATE package_version SET retracted = true"
check "a retraction" wait_until shows latest/api/packages/oxygen '"retracted":true'
sql "UPDATE package SET discontinued = true, replaced_by = 'neon'"
check "discontinued" wait_until shows latest/api/packages/oxygen '"replacedBy":"neon"'
sql "INSERT INTO advisory (id, osv) VALUES ('A', '{\"id\":\"A\",\"modified\":\"2024-01-01T00:00:00Z\",\"summary\":\"s\",\"affected\":[{\"package\":{\"ecosystem\":\"Pub\",\"name\":\"oxygen\"},\"versions\":[\"1.0.0\"]}]}');
	INSERT INTO advisory_package VALUES ('A', 'oxygen')"
check "an advisory" wait_until shows latest/api/packages/oxygen.d/advisories '"id":"A"'
sql "UPDATE package SET moderated = true"
check "a package that is moderated" wait_until has_not latest/api/packages/oxygen
sql "UPDATE package SET moderated = false"
check "and reinstated" wait_until has latest/api/packages/oxygen

watching
second=$watcher
killed=0
while [ "$killed" -lt 10 ]; do
	sql "INSERT INTO package (name) SELECT 'p' || i FROM generate_series($killed * 50, $killed * 50 + 49) i;
		INSERT INTO package_version (package, version, pubspec) SELECT 'p' || i, '1.0.0',
		'{\"name\":\"p' || i || '\",\"version\":\"1.0.0\"}'
		FROM generate_series($killed * 50, $killed * 50 + 49) i"
	kill -KILL "$second"
	wait "$second" 2>/dev/null
	watching
	second=$watcher
	killed=$((killed + 1))
done
waits() {
	sql "SELECT count(*) FROM package p JOIN package_change c ON c.package = p.name
		WHERE NOT EXISTS (SELECT 1 FROM export_state s WHERE s.package = p.name
		AND s.change = c.change AND s.prefix = 'latest/2026.08.18')"
}
settled() { # what the dead had claimed would lapse within two minutes
	sql "UPDATE lease SET until = since" && [ "$(waits)" -eq 0 ]
}
check "every change is exported once the dust settles" wait_until settled
same "all are in latest/" 500 sh -c \
	"find '$bucket/latest/api/packages' -maxdepth 1 -name 'p[0-9]*' -type f | wc -l"
kill -TERM "$second"
check "the second host ends well" ended "$second"
kill -TERM "$first"
check "so does the first" ended "$first"
kill -TERM "$server"
check "the server ends" wait "$server"
