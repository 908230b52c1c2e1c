#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# --on-change: whoever changes an object, by an export, a collection, a copy or by hand, in whichever
# command, its name is told to one command.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

golden=$tests/golden
export T PUBFS_HOME="$T/home"
bucket=$PUBFS_HOME/bucket
site="--base-url https://pub.example.com --runtime-version 2026.08.18 --ttl 0"
tell='cat >>"$T/told"; echo end >>"$T/told"'
listing=latest/api/packages/oxygen

# told NAME EXPECTED: what was told since the last time, sorted, and how often the command has ended
told() {
	touch "$T/told"
	same "$1" "$2" sh -c 'grep -vx end "$T/told" | sort; echo "ended $(grep -cx end "$T/told")"'
	: >"$T/told"
}
keys() { (cd "$bucket" && find latest 2026.08.18 -type f | sed 's|\.d/|/|' | sort); }
run() { # NAME COMMAND...: with --on-change
	name=$1 command=$2
	shift 2
	# shellcheck disable=SC2086 # options
	check "$name" "$PUBFS" "$command" "$@" --on-change "$tell"
}

check "publish" "$PUBFS" publish --now 2026-01-01T00:00:00Z "$golden"/archives/*.tar.gz

# what an export changes
# shellcheck disable=SC2086
run "a dry run" sync $site --dry-run
told "of a dry run nothing is told" "ended 0"
# shellcheck disable=SC2086
run "sync" sync $site --now 2026-02-01T00:00:00Z
told "sync tells of each object once" "$(keys)
ended 1"
# shellcheck disable=SC2086
run "sync of nothing" sync $site --now 2026-02-01T00:00:00Z
told "where nothing changes the command is not even run" "ended 0"
# shellcheck disable=SC2086
run "a renewal" sync $site --now 2026-02-11T00:00:00Z
check "all were validated again" sh -c "'$PUBFS' stat --json /$listing | grep -q 'validated.*2026-02-11'"
told "a younger validated alone is not told of" "ended 0"

# by hand, without a mount
"$PUBFS" cat /$listing | jq . >pretty
run "put" put pretty /$listing
told "put tells" "$listing
ended 1"
run "put of the same" put pretty /$listing
told "put of the same tells nothing" "ended 0"
run "rm" rm /$listing
told "rm tells" "$listing
ended 1"
printf 'on-change = %s\n' "$tell" >pubfs.conf
fails "a refused one" 3 "refused" "$PUBFS" put pubfs.conf /$listing --on-change "$tell"
told "of what is refused nothing is told" "ended 0"

# copies and collections
# shellcheck disable=SC2086
run "promote" promote 2026.08.18 --ttl 0
told "promote tells" "$listing
ended 1"
check "promote --release" "$PUBFS" promote --release
check "purge" "$PUBFS" set helium purged=true
gone=$(keys | grep helium)
run "gc" gc --runtime-version 2026.08.18 --min-age 0s --ttl 0
told "gc tells of what it removes" "$gone
ended 1"

# a command that is no good holds up nothing
change() { likes=$((${likes:-0} + 1)) && "$PUBFS" set oxygen likes=$likes; }
bad_command() { # NAME COMMAND
	change
	# shellcheck disable=SC2086
	"$PUBFS" sync $site --on-change "$2" >"$T/.out" 2>said
	same "$1: sync" 0 echo $?
	same "$1: it has exported" "$likes" \
		sh -c "'$PUBFS' cat latest/api/packages/oxygen.d/likes | jq .likes"
}
bad_command "one that fails" 'cat >/dev/null; exit 5'
check "its status is said" grep -q "of --on-change ended with status 5; what it did not do" said
check "but not its text, in which there may be a token" sh -c "! grep 'exit 5' said"
bad_command "one that is killed" 'cat >/dev/null; kill -KILL $$'
check "that is said, too" grep -q "of --on-change ended with status 137" said
bad_command "one that is none" ./none
bad_command "one that does not read" 'exec <&-'
seq 300 | jq -c '{package: "p\(.)", version: "1.0.0", published: "2026-01-01T00:00:00Z",
	pubspec: {name: "p\(.)", version: "1.0.0"}}' >many.jsonl # more names than a pipe holds
check "load" "$PUBFS" load many.jsonl
: >"$T/told"
# shellcheck disable=SC2086,SC2016
check "one that ends too early" "$PUBFS" sync $site --on-change 'echo run >>"$T/runs"
	if mkdir "$T/once"; then read -r line; else cat >>"$T/told"; fi'
same "is run again" 2 grep -c run runs
check "and told of the rest" grep -qx latest/feed.atom "$T/told"
: >"$T/told"
change
# shellcheck disable=SC2086,SC2016
"$PUBFS" sync $site --on-change 'echo $$ >"$T/sleeper"; exec sleep 1000' >hung 2>&1 &
hung=$!
own "$hung"
check "one that hangs: sync waits, and says so" wait_until grep -q "waiting for the end of .*--on-change" hung
same "it has exported all the same" "$likes" \
	sh -c "'$PUBFS' cat latest/api/packages/oxygen.d/likes | jq .likes"
kill -TERM "$hung"
wait "$hung"
same "a signal ends that" 143 echo $?
kill "$(cat sleeper)"

# from the config file, which all commands share
check "config" "$PUBFS" put --config pubfs.conf pretty /$listing
told "the config file may name the command" "$listing
ended 1"

if ! can_mount; then
	not_ok "mount: /dev/fuse is not here"
	exit 0
fi
m=$T/mnt
has_told() { [ "$(grep -cx "$1" "$T/told")" -eq 1 ]; }
# shellcheck disable=SC2086
check "mount" mount_at "$m" $site --on-change "$tell"
check "cp" cp "$m/2026.08.18/api/packages/oxygen" "$m/$listing"
check "a write through the mount" wait_until has_told "$listing"
: >"$T/told"
check "rm" rm "$m/$listing"
check "a removal through it" wait_until has_told "$listing"
: >"$T/told"
check "sync" sh -c "echo oxygen >'$m/.pubfs/sync'"
check "an export inside it" wait_until has_told "$listing"
: >"$T/told"
check "touch" touch "$m/$listing"
cat "$m/$listing" >"$T/same" && cp "$T/same" "$m/$listing"
mv "$m/latest/api/archives/oxygen-1.0.0.tar.gz" "$T/" && cp "$T/oxygen-1.0.0.tar.gz" "$m/latest/api/archives/"
check "unmount" unmount "$daemon" "$m"
told "each change is told, in the end too, and nothing else" "latest/api/archives/oxygen-1.0.0.tar.gz
latest/api/archives/oxygen-1.0.0.tar.gz
ended 1"
