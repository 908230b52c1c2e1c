#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# status: what waits, fails and is held, what was written by hand, and what the processes of this
# host say; and the metrics of one that has no mount.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

golden=$tests/golden
export PUBFS_HOME="$T/home"
site="--base-url https://pub.example.com --runtime-version 2026.08.18 --ttl 0"
v="--runtime-version 2026.08.18"

sql() { sqlite3 -cmd ".timeout 60000" "$PUBFS_HOME/pub.db" "$1" >/dev/null; }
# says EXIT-STATUS FILTER [OPTION...]: status ends so, and of its JSON the filter is true
says() {
	wanted=$1 filter=$2
	shift 2
	"$PUBFS" status --json "$@" >"$T/status"
	got=$?
	cat "$T/status"
	[ "$got" -eq "$wanted" ] && jq -e "$filter" "$T/status"
}
deployed() { echo ".deployments[\"2026.08.18\"] | $1"; }

fails "without a store" 3 "no store" "$PUBFS" status
check "publish" "$PUBFS" publish --now 2026-01-01T00:00:00Z "$golden"/archives/*.tar.gz
# shellcheck disable=SC2086 # options
check "sync" "$PUBFS" sync $site

# what the database and the cache know
# shellcheck disable=SC2086
check "all is done: status 0" says 0 '.packages == 3 and .held == {sync: null, gc: null, promote: null} and
	.latest_held_at == null and .by_hand.objects == 0 and .processes == {}' $v
# shellcheck disable=SC2086
check "nothing waits or fails" says 0 "$(deployed '.waiting.packages == 0 and .failing.packages == 0')" $v
check "of no runtime version nothing is asked" says 0 '.deployments == {}'
sql "UPDATE package SET unlisted = 1 WHERE name = 'oxygen'"
# shellcheck disable=SC2086
check "what changed waits, by its name" says 0 "$(deployed '.waiting == {packages: 1, names: {oxygen: null}}')" $v
# shellcheck disable=SC2086
"$PUBFS" sync $site >/dev/null
# shellcheck disable=SC2086
check "and no longer when it is exported" says 0 "$(deployed '.waiting.packages == 0')" $v
# shellcheck disable=SC2086
"$PUBFS" sync $site --prefixes own --runtime-version 2026.09.01 >/dev/null
check "of a prefix that a version does not write nothing is missing" \
	says 0 '.deployments["2026.09.01"].waiting.packages == 0' --runtime-version 2026.09.01
echo '{"package":"bad","version":"1.0.0","published":"2024-01-01T00:00:00Z","pubspec":{"name":"x","version":"1.0.0"}}' \
	>bad.jsonl
check "load" "$PUBFS" load bad.jsonl
for tried in 1 2; do
	# shellcheck disable=SC2086
	"$PUBFS" sync $site >/dev/null 2>&1
	# shellcheck disable=SC2086
	check "what fails is named with its reason and how often: status 3 ($tried)" \
		says 3 "$(deployed ".failing.names.bad | .failures == $tried and
			(.why | test(\"the name in its pubspec is\"))")" $v
done
# shellcheck disable=SC2086
check "it does not wait besides" says 3 "$(deployed '.waiting.packages == 0')" $v
sql "UPDATE package_version SET pubspec = '{\"name\":\"bad\",\"version\":\"1.0.0\"}' WHERE package = 'bad'"
# shellcheck disable=SC2086
check "sync" "$PUBFS" sync $site
# shellcheck disable=SC2086
check "until it succeeds" says 0 "$(deployed '.failing.packages == 0')" $v

"$PUBFS" cat latest/api/packages/oxygen | jq . >pretty
check "put" "$PUBFS" put pretty latest/api/packages/oxygen
check "what was written by hand is named" says 0 '.by_hand.names | has("latest/api/packages/oxygen")'
# shellcheck disable=SC2086
check "promote" "$PUBFS" promote 2026.08.18
check "at which version latest/ is held" says 0 '.latest_held_at == "2026.08.18"'
"$PUBFS" promote --release >/dev/null

# held
sql "UPDATE package SET likes = 1"
sql "CREATE TABLE aside AS SELECT * FROM advisory_package; DELETE FROM advisory_package"
seq 30 | jq -c '{package: "p\(.)", version: "1.0.0", published: "2026-01-01T00:00:00Z",
	pubspec: {name: "p\(.)", version: "1.0.0"}}' >more.jsonl
"$PUBFS" load more.jsonl >/dev/null
# shellcheck disable=SC2086
check "sync of more" "$PUBFS" sync $site
sql "UPDATE package SET discontinued = 1 WHERE name LIKE 'p%'"
# shellcheck disable=SC2086
"$PUBFS" sync $site >/dev/null 2>&1
# shellcheck disable=SC2086
check "what is held, and why: status 4" says 4 '.held.sync | .items > 0 and (.why | test("listings"))' $v
# shellcheck disable=SC2086
check "sync --allow-mass-change" "$PUBFS" sync $site --allow-mass-change
check "and no longer when it was released" says 0 '.held.sync == null'

# lines for people are the same in other words
"$PUBFS" status $v >lines 2>&1 # status 0 was looked at
check "lines: a value" grep -qx 'packages: 34' lines
check "lines: what is inside of another value" grep -qx '      packages: 0' lines
check "lines: nothing" grep -qx 'latest_held_at: -' lines
check "lines: none of them" grep -qx '      names: -' lines

# processes of this host
"$PUBFS" watch $site --metrics-port 0 --log-level info 2>"$T/log" &
watcher=$!
own "$watcher"
check "a watch tells of itself" wait_until says 0 ".processes[\"$watcher\"] | .command == \"watch\" and
	.pid == $watcher and .updater.passes > 2 and .updater.lag == 0 and .updater.last_result == \"done\""
check "its host is live" says 0 "$(deployed '[.hosts[].state] == ["live"]')"
sql "UPDATE package_version SET pubspec = '{\"name\":\"x\",\"version\":\"1.0.0\"}' WHERE package = 'bad'"
check "when what failed is tried again" wait_until says 3 ".processes[\"$watcher\"].updater.failing |
	.packages == 1 and (.names.bad | .failures >= 1 and .why and (.next_try | test(\"Z\$\")))"
port=$(sed -n 's/.*metrics are at port //p' "$T/log")
get() { curl -s --noproxy '*' "$@"; }
metrics() { get "http://127.0.0.1:$port/metrics"; }
metric() { metrics | grep -qx "$1"; }
check "metrics by HTTP" metric 'pubfs_failing_packages 1'
check "what is held is one" metric 'pubfs_held{plan="sync"} 0'
check "they end as OpenMetrics do" sh -c "curl -s --noproxy '*' http://127.0.0.1:$port/metrics | tail -n1 | grep -qx '# EOF'"
check "they say what they are" sh -c \
	"curl -sI --noproxy '*' http://127.0.0.1:$port/metrics | grep -qi '^content-type: application/openmetrics-text; version=1.0.0'"
same "there is nothing else" 404 get -o /dev/null -w '%{http_code}' "http://127.0.0.1:$port/"
same "they are only read" 405 get -o /dev/null -w '%{http_code}' -X POST "http://127.0.0.1:$port/metrics"
check "no other address of the host is served" sh -c "! curl -s --noproxy '*' http://127.0.0.2:$port/metrics"
# shellcheck disable=SC2086
fails "a port that is taken" 3 "cannot serve metrics at $port" \
	"$PUBFS" watch $site --metrics-port "$port" --cache "$T/other-cache"
fails "no port" 2 "70000" "$PUBFS" watch $site --metrics-port 70000
fails "no address" 2 "here:80" "$PUBFS" watch $site --metrics-port here:80
fails "an address of IPv6 without brackets" 2 "::1:80" "$PUBFS" watch $site --metrics-port ::1:80
sql "UPDATE package_version SET retracted = 1 WHERE package = 'oxygen'"
check "take-downs are counted and measured" wait_until metric 'pubfs_takedown_seconds_count 1'
check "kill -9" kill -KILL "$watcher"
wait "$watcher" 2>/dev/null
file=$(echo "$PUBFS_HOME"/cache/*."$watcher".status)
check "it has left its file" test -f "$file"
touch -d '2 minutes ago' "$file"
check "of one that is gone nothing is said" says 3 '.processes == {}'
sql "UPDATE package_version SET pubspec = '{\"name\":\"bad\",\"version\":\"1.0.0\"}' WHERE package = 'bad'"

if ! can_mount; then
	not_ok "mount: /dev/fuse is not here"
	exit 0
fi
m=$T/mnt
# shellcheck disable=SC2086
check "mount" mount_at "$m" $site --update --metrics-port 0 --log-level info
check "the next one that begins removes it" test ! -e "$file"
check "a mount tells of itself" wait_until says 0 ".processes[\"$daemon\"] | .command == \"mount\" and .objects > 0"
same "in the words of .pubfs/status" "$(jq -S 'del(.uptime, .updater)' "$m/.pubfs/status")" \
	jq -S ".processes[\"$daemon\"] | del(.uptime, .updater)" "$T/status"
port=$(sed -n 's/.*metrics are at port //p' "$m.log")
names() { sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p'; }
same "its port has the metrics of .pubfs/metrics" "$(names <"$m/.pubfs/metrics")" \
	sh -c "curl -s --noproxy '*' http://127.0.0.1:$port/metrics | sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p'"
away=$(echo "$file" | sed "s/[0-9]*\.status$/1.status/")
echo '{"pid":1,"degraded":{"since":"2026-01-01T00:00:00Z","reason":"gone"}}' >"$away"
check "a mount that cannot reach its store: status 3" says 3 '.processes["1"].degraded.reason == "gone"'
echo '{"pid":1,"degraded":null,"updater":{"last_result":"held"}}' >"$away"
check "an updater whose pass is held whole: status 4" says 4 '.processes["1"].updater.last_result == "held"'
echo '{' >"$away"
check "what is no status is passed over" says 0 '.processes | has("1") | not'
rm "$away"
check "unmount" unmount "$daemon" "$m"
check "one that has ended is gone" says 0 '.processes == {}'
