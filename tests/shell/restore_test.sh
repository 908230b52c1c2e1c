#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A database that is restored from a backup while it is watched: nothing is overwritten by something
# older until somebody says so, and then all goes on.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

export PUBFS_HOME="$T/home"
site="--base-url https://pub.example.com --runtime-version 2026.08.18 --ttl 0"
db=$PUBFS_HOME/pub.db
listing=latest/api/packages/oxygen

sql() { sqlite3 -cmd ".timeout 60000" "$db" "$1" >/dev/null; }
watching() { # OPTION...: one, whose id is $watcher
	# shellcheck disable=SC2086 # options
	"$PUBFS" watch $site "$@" 2>>"$T/log" &
	watcher=$!
	own "$watcher"
}
status() { # FILTER: of what the watcher says of itself
	"$PUBFS" status --json >"$T/status"
	jq -e ".processes[\"$watcher\"] | $1" "$T/status"
}
shows() { "$PUBFS" cat --ttl 0 "$listing" | grep -q "$1"; }
ended() {
	kill -TERM "$watcher"
	wait "$watcher"
}
change() { "$PUBFS" stat --ttl 0 "$listing" | sed -n 's/.*pubfs.change: //p'; }

echo '{"package":"oxygen","version":"1.0.0","published":"2024-01-01T00:00:00Z","pubspec":{"name":"oxygen","version":"1.0.0"}}' \
	>one.jsonl
check "load" "$PUBFS" load one.jsonl
check "a backup" sql "VACUUM INTO '$T/backup'"
watching
check "what is there is exported" wait_until shows '"1.0.0"'
sql "UPDATE package SET discontinued = 1, replaced_by = 'neon'"
check "and what changes" wait_until shows neon
newest=$(change)

# into the open database
check "it is restored" sqlite3 -cmd ".timeout 60000" "$db" ".restore $T/backup"
check "that is held" wait_until status '.updater | .last_result == "held" and (.last_error | test("--rebase"))'
sql "UPDATE package SET likes = 5"
check "a change of the older rows is, too" wait_until status '.updater.lag > 0'
same "nothing older is shown" "$newest" change
# shellcheck disable=SC2086 # options
check "sync --rebase" "$PUBFS" sync $site --rebase
check "takes its side" shows '"oxygen","latest"'
check "then the watch goes on" wait_until status '.updater | .last_result == "done" and .lag == 0'
sql "UPDATE package SET discontinued = 1, replaced_by = 'argon'"
check "with what changes" wait_until shows argon

# by another file in its place
newest=$(change)
cp "$T/backup" "$T/again"
rm -f "$db-wal" "$db-shm"
mv "$T/again" "$db"
check "a file in its place is noticed" wait_until grep -q "another file has taken the place of $db" "$T/log"
check "and held" wait_until status '.updater.last_result == "held"'
same "nothing older is shown then" "$newest" change
check "the watch ends well" ended

# by the watch itself
watching --rebase
check "watch --rebase takes its side" wait_until shows '"oxygen","latest"'
sql "UPDATE package SET discontinued = 1, replaced_by = 'xenon'"
check "and goes on" wait_until shows xenon
check "it is restored once more" sqlite3 -cmd ".timeout 60000" "$db" ".restore $T/backup"
check "one word is for one restoration" wait_until status '.updater.last_result == "held"'
check "xenon is still shown" shows xenon
check "it ends well" ended

if ! can_mount; then
	not_ok "mount: /dev/fuse is not here"
	exit 0
fi
m=$T/mnt
# shellcheck disable=SC2086
check "mount --update" mount_at "$m" $site --update
check "is held" wait_until jq -e '.updater.last_result == "held"' "$m/.pubfs/status"
check "its files show what was exported" grep -q xenon "$m/$listing"
check "unmount" unmount "$daemon" "$m"
# shellcheck disable=SC2086
check "mount --update --rebase" mount_at "$m" $site --update --rebase
check "takes its side, too" wait_until sh -c "! grep -q xenon '$m/$listing'"
check "unmount" unmount "$daemon" "$m"
