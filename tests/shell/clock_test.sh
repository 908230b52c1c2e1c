#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Clocks that jump, forward and back, under hosts that keep a bucket fresh, and weeks of being off:
# each change is exported all the same, and latest/ never goes back.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

memory_counts || exit 0 # the sanitizers want to be the first library, as libfaketime does
bucket=$PUBFS_HOME/bucket
faketime=$(find /usr/lib -name libfaketimeMT.so.1 | head -n 1)
if [ -z "$faketime" ]; then
	skip "clocks that jump" "there is no libfaketime: scripts/setup --tests installs it"
	exit 0
fi

# set_clock NAME OFFSET: that of the hosts of this name, and from now on.
set_clock() { echo "$2" >"$T/clock.new" && mv "$T/clock.new" "$T/clock.$1"; }
# watching NAME [OPTION...]: a host that has the clock of this name; its id is $watcher
watching() {
	clock=$1
	shift
	FAKETIME_TIMESTAMP_FILE="$T/clock.$clock" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 \
		LD_PRELOAD="$faketime" "$PUBFS" watch --base-url https://pub.example.com --runtime-version 2026.08.18 --ttl 0 \
		--cache "$T/cache.$clock" "$@" 2>>"$T/log" &
	watcher=$!
	own "$watcher"
}
shows() { "$PUBFS" cat --ttl 0 latest/api/packages/oxygen | grep -q "$1"; }
turn=0
exports() { # NAME: what is changed now
	turn=$((turn + 1))
	sql "UPDATE package SET discontinued = 1, replaced_by = 'r$turn'"
	check "$1" wait_until shows "\"r$turn\""
}

echo '{"package":"oxygen","version":"1.0.0","published":"2024-01-01T00:00:00Z","pubspec":{"name":"oxygen","version":"1.0.0"}}' |
	"$PUBFS" load - >/dev/null
set_clock a +0
watching a
first=$watcher
exports "with the right time"
set_clock a +60d
exports "after a jump of two months ahead"
stamped() { "$PUBFS" stat latest/api/packages/oxygen | sed -n 's/.*validated: *//p'; }
is_ahead() { [ "$(stamped | cut -c1-10)" = "$(date -u -d '60 days' +%F)" ]; }
check "by which objects are stamped" is_ahead
set_clock a -60d
exports "and of four months back"
set_clock a +0
exports "and with the right time again"

# of two hosts one is off
set_clock b -3h
watching b
second=$watcher
exports "with another host, three hours behind"
set_clock b +3h
exports "and three hours ahead"
kill -KILL "$first"
wait "$first" 2>/dev/null
exports "by the one that is ahead, alone"
kill -TERM "$second"
check "it ends well" wait "$second"

# nobody for weeks, while much was changed
turn=$((turn + 1))
sql "UPDATE package SET replaced_by = 'r$turn'"
set_clock a +45d
watching a
check "after weeks all that was changed is exported" wait_until shows "\"r$turn\""
exports "and what changes then"
kill -TERM "$watcher"
check "it ends well" wait "$watcher"
check "both prefixes are equal" diff -r "$bucket/latest" "$bucket/2026.08.18"
