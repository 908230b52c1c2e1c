#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The life of a package in PostgreSQL, exported by a role that may not write packages.
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

fails "a database without a schema is no empty registry" 3 "no schema pubfs.*pubfs schema postgresql" \
	"$PUBFS" sync --db "$database" --base-url https://x.example --runtime-version 2026.08.18
check "pubfs schema makes it" sh -c '"$1" schema postgresql | psql -qX -v ON_ERROR_STOP=1 "$2"' - \
	"$PUBFS" "$database"
check "and once more changes nothing" sh -c '"$1" schema postgresql | psql -qX -v ON_ERROR_STOP=1 "$2"' - \
	"$PUBFS" "$database"
psql -qX -v ON_ERROR_STOP=1 "$database" >/dev/null -c "CREATE ROLE intake LOGIN" \
	-c "CREATE ROLE exporter LOGIN" -c "SELECT pubfs.grant_intake('intake')" \
	-c "SELECT pubfs.grant_export('exporter')"
as() { # ROLE: the URL of another user
	echo "$database" | sed "s|//[^@]*@|//$1@|"
}
printf 'db = %s\n' "$(as intake)" >intake.conf
printf 'db = %s\n' "$(as exporter)" >pubfs.conf
export PUBFS_CONFIG="$T/pubfs.conf"
looks=mount intake=$T/intake.conf
# shellcheck source=life_story.sh
. "$tests/shell/life_story.sh"

echo '{"package":"neon","version":"1.0.0","published":"2026-01-01T00:00:00Z","pubspec":{"name":"neon","version":"1.0.0"}}' >neon.jsonl
fails "the exporter may write no package" 3 "permission denied for table package" "$PUBFS" load neon.jsonl
same "check says how changes are noticed" "database             works: changes are noticed by triggers of pubfs" \
	sh -c '"$1" check | grep ^database' - "$PUBFS"
kill -TERM "$server"
check "the server ends" wait "$server"
