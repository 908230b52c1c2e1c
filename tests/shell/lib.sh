# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2034 # what it sets, the tests use
# lib.sh - the shell tests' own words. A test sources it, and gets an empty folder $T, gone at the end.
#
#	PUBFS			the program under test (a full path)
#	PUBFS_TEST_MOUNTS	a file that gets one line for each test on a kernel mount
#	PUBFS_CONFIGURATION	plain, sanitize or thread
set -u

: "${PUBFS:?set it to the full path of the program under test}"
tests=$(cd "$(dirname "$0")/.." && pwd)
T=$(mktemp -d "${TMPDIR:-/tmp}/pubfs-test-XXXXXX")
mounted=   # mount points of ours, innermost last
processes= # of ours, each an id and when it began
unset PUBFS_HOME PUBFS_CONFIG XDG_DATA_HOME

# began ID: when that process began, in ticks since the boot. An id is given away again soon after
# its process is gone: only with this is it the same one.
began() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20; }

# own ID...: what ends with the test, if nothing ends it before.
own() {
	for p; do
		processes="$processes $p/$(began "$p")"
	done
}

finish() {
	for m in $mounted; do
		umount -l "$m" 2>/dev/null
	done
	for p in $processes; do
		[ "$(began "${p%/*}")" != "${p#*/}" ] || kill -KILL "${p%/*}" 2>/dev/null
	done
	cd / && rm -rf "$T"
}
trap finish EXIT
trap 'exit 1' INT TERM PIPE
cd "$T" || exit 1

# ok NAME / not_ok NAME / skip NAME REASON: one result.
ok() { echo "ok $1"; }
not_ok() {
	echo "not ok $1"
	if [ -s "$T/.said" ]; then
		sed 's/^/    /' "$T/.said" | head -n 40
	fi
}
skip() { echo "skip $1: $2"; }

# check NAME COMMAND...: the command succeeds.
check() {
	name=$1
	shift
	if "$@" >"$T/.said" 2>&1; then ok "$name"; else not_ok "$name"; fi
}

# fails NAME STATUS PATTERN COMMAND...: it ends with that status, and says on standard error
# exactly one line, which matches the pattern.
fails() {
	name=$1 wanted=$2 pattern=$3
	shift 3
	"$@" >"$T/.out" 2>"$T/.said"
	got=$?
	if [ "$got" -eq "$wanted" ] && [ "$(wc -l <"$T/.said")" -eq 1 ] &&
		grep -q -- "$pattern" "$T/.said"; then
		ok "$name"
	else
		echo "(status $got, wanted $wanted; wanted one line like: $pattern)" >>"$T/.said"
		not_ok "$name"
	fi
}

# same NAME EXPECTED COMMAND...: it succeeds and prints exactly that.
same() {
	name=$1 expected=$2
	shift 2
	if got=$("$@" 2>"$T/.said") && [ "$got" = "$expected" ]; then
		ok "$name"
	else
		printf 'got:    %s\nwanted: %s\n' "$got" "$expected" >>"$T/.said"
		not_ok "$name"
	fi
}

# wait_until COMMAND...: polls for at most 30 s; no test's result depends on how long it took.
wait_until() {
	tries=600
	until "$@" >/dev/null 2>&1; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.05
	done
}

# An updater may be writing just then.
sqlite3() { command sqlite3 -cmd ".timeout 60000" "$@"; }

# The memory of the sanitizers is not the program's.
memory_counts() { [ "${PUBFS_CONFIGURATION:-plain}" = plain ]; }

can_mount() { [ -c /dev/fuse ] && [ -r /dev/fuse ] && [ -w /dev/fuse ]; }

# mount_at POINT OPTIONS...: mounts in the foreground, in the background of this shell, and waits
# until it is there. Sets $daemon to its id. Its words go to POINT.log.
mount_at() {
	point=$1
	shift
	mkdir -p "$point"
	"$PUBFS" mount "$point" -f "$@" >"$point.log" 2>&1 &
	daemon=$!
	own "$daemon"
	mounted="$point $mounted"
	wait_until mountpoint -q "$point" || return 1
	echo "$0" >>"${PUBFS_TEST_MOUNTS:-/dev/null}"
}

# unmount ID POINT: by SIGTERM; its exit status. What one said that had ended before is shown.
unmount() {
	kill -TERM "$1" || tail -n 20 "$2.log"
	wait "$1"
	unmount_status=$?
	echo "the mount ended with status $unmount_status"
	mountpoint -q "$2" && return 99
	return "$unmount_status"
}
