#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The life of a package in PostgreSQL, changed by hand by a role that may write packages, and exported
# when that is committed, by one that may not.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

serve db/postgresql_server
fails "a database without a schema is no empty registry" 3 "no schema pubfs.*pubfs schema postgresql" \
	"$PUBFS" sync --db "$url" --base-url https://x.example --runtime-version 2026.08.18
on_postgresql "$url"
check "and once more changes nothing" make_schema
by=watch hand=yes
# shellcheck source=life_story.sh
. "$tests/shell/life_story.sh"

echo '{"package":"neon","version":"1.0.0","published":"2026-01-01T00:00:00Z","pubspec":{"name":"neon","version":"1.0.0"}}' >neon.jsonl
fails "the exporter may write no package" 3 "permission denied for table package" "$PUBFS" load neon.jsonl
same "check says how changes are noticed" "database             works: changes are noticed by triggers of pubfs" \
	sh -c '"$1" check | grep ^database' - "$PUBFS"
stop_servers
