#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# watch: the updater without a mount, from its start to its end, with other hosts and deployments
# beside it, some of which are killed.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

export T PUBFS_HOME="$T/home"
bucket=$PUBFS_HOME/bucket
db=$PUBFS_HOME/pub.db
url="--base-url https://pub.example.com"

sql() { sqlite3 -cmd ".timeout 60000" "$db" "$1" >/dev/null; }
# watching VERSION [OPTION...]: starts one, whose id is $watcher
watching() {
	version=$1
	shift
	# shellcheck disable=SC2086 # options
	"$PUBFS" watch $url --runtime-version "$version" --ttl 0 "$@" 2>>"$T/log" &
	watcher=$!
	processes="$processes $watcher"
}
has() { [ -e "$bucket/$1" ]; }
has_not() { ! has "$1"; }
body() { "$PUBFS" cat --ttl 0 "$1"; }
shows() { body "$1" | grep -q "$2"; }
ended() { # ID STATUS
	wait "$1"
	[ $? -eq "$2" ]
}

fails "without a base URL" 2 "base-url is needed" "$PUBFS" watch --runtime-version 2026.08.18
# shellcheck disable=SC2086 # options
fails "without a database" 3 "no database" "$PUBFS" watch $url --runtime-version 2026.08.18

echo '{"package":"oxygen","version":"1.0.0","published":"2024-01-01T00:00:00Z","pubspec":{"name":"oxygen","version":"1.0.0"}}' \
	>one.jsonl
check "load" "$PUBFS" load one.jsonl

# from commit to bucket
watching 2026.08.18 --on-change 'cat >>"$T/told"; echo end >>"$T/told"'
first=$watcher
check "what is there is exported" wait_until has latest/api/packages/oxygen
check "below the own prefix, too" has 2026.08.18/api/packages/oxygen
sql "UPDATE package_version SET retracted = 1"
check "a retraction" wait_until shows latest/api/packages/oxygen '"retracted":true'
sql "UPDATE package_version SET retracted = 0"
check "and back" wait_until shows latest/api/packages/oxygen '"oxygen","latest":{"version":"1.0.0","pubspec"'
sql "UPDATE package SET discontinued = 1, replaced_by = 'neon'"
check "discontinued" wait_until shows latest/api/packages/oxygen '"replacedBy":"neon"'
sql "INSERT INTO advisory (id, osv) VALUES ('A', '{\"id\":\"A\",\"modified\":\"2024-01-01T00:00:00Z\",\"summary\":\"s\",\"affected\":[{\"package\":{\"ecosystem\":\"Pub\",\"name\":\"oxygen\"},\"versions\":[\"1.0.0\"]}]}');
	INSERT INTO advisory_package VALUES ('A', 'oxygen')"
check "an advisory" wait_until shows latest/api/packages/oxygen.d/advisories '"id":"A"'
sql "DELETE FROM advisory"
check "its removal" wait_until shows latest/api/packages/oxygen.d/advisories '"advisories":\[\]'
sql "UPDATE package SET moderated = 1"
check "a package that is moderated" wait_until has_not latest/api/packages/oxygen
sql "UPDATE package SET moderated = 0"
check "and reinstated" wait_until has latest/api/packages/oxygen
same "one is live" "2026.08.18 live" sh -c "'$PUBFS' deployments --json | jq -r '.runtime_version + \" \" + .state'"
check "on-change: it is told of each object" wait_until grep -qx latest/api/packages/oxygen/advisories "$T/told"

# a second host of it, and one with another base URL
watching 2026.08.18
second=$watcher
fails "another base URL" 3 "is not that of host" \
	"$PUBFS" watch --base-url https://other.example.com --runtime-version 2026.08.19

# a newer deployment beside it, which is retired, admitted, and goes
check "a newer one is told of" sql "INSERT INTO package (name) VALUES ('unused')"
watching 2026.09.01
third=$watcher
check "it fills its own prefix" wait_until has 2026.09.01/api/packages/oxygen
fails "one that is not there" 3 "no deployment 2020.01.01" "$PUBFS" deployments retire 2020.01.01
fails "no version" 2 "deployments retire VERSION" "$PUBFS" deployments retire
same "retire" "2026.09.01 is retired: it leaves latest/ to the others" "$PUBFS" deployments retire 2026.09.01
same "it is listed so" retired sh -c \
	"'$PUBFS' deployments --json | jq -r 'select(.runtime_version == \"2026.09.01\").state'"
sql "UPDATE package SET replaced_by = 'argon' WHERE name = 'oxygen'"
check "the older one keeps latest/" wait_until shows latest/api/packages/oxygen argon
check "it goes on with its own prefix" wait_until shows 2026.09.01/api/packages/oxygen argon
# shellcheck disable=SC2086 # options
check "sync of an old version leaves latest/ alone, and says so" sh -c \
	"'$PUBFS' sync $url --runtime-version 2026.01.01 --ttl 0 | grep -q 'the deployment 2026.08.18 keeps latest/'"
same "admit" "2026.09.01 is no longer retired" "$PUBFS" deployments admit 2026.09.01
kill -TERM "$third"
check "SIGTERM ends it well" ended "$third" 0

# hosts that are killed under load, ten times, and started again
load() { # FROM: a hundred packages
	seq "$1" $(($1 + 99)) | jq -c '{package: "p\(.)", version: "1.0.0",
		published: "2026-01-01T00:00:00Z", pubspec: {name: "p\(.)", version: "1.0.0"}}' >more.jsonl
	"$PUBFS" load more.jsonl
}
killed=0
while [ "$killed" -lt 10 ]; do
	load $((killed * 100)) >/dev/null 2>&1
	kill -KILL "$second"
	wait "$second" 2>/dev/null
	watching 2026.08.18
	second=$watcher
	killed=$((killed + 1))
done
waits() { # how many packages are not exported by their newest change
	sqlite3 -cmd ".timeout 60000" "$db" "SELECT count(*) FROM package p JOIN package_change c
		ON c.package = p.name WHERE EXISTS (SELECT 1 FROM package_version v WHERE v.package = p.name)
		AND NOT EXISTS (SELECT 1 FROM export_state s WHERE s.package = p.name
		AND s.change = c.change AND s.prefix = 'latest/2026.08.18')"
}
settled() { # what the dead had claimed would lapse within two minutes
	sql "UPDATE lease SET until = since" && [ "$(waits)" -eq 0 ]
}
check "every change is exported once the dust settles" wait_until settled
same "all are in latest/" 1000 sh -c \
	"find '$bucket/latest/api/packages' -maxdepth 1 -name 'p[0-9]*' -type f | wc -l"
kill -TERM "$second"
check "the second host ends well" ended "$second" 0
kill -TERM "$first"
check "so does the first" ended "$first" 0
check "the command that is told has ended" grep -qx end "$T/told"
sql "UPDATE deployment SET heartbeat = '2020-01-01T00:00:00Z'"
# shellcheck disable=SC2086 # options
"$PUBFS" sync $url --runtime-version 2026.08.18 --ttl 0 --dry-run >"$T/planned" || not_ok "sync --dry-run"
# completion data follows with a full pass alone
same "a pass after all of it finds nothing of a package to do" 0 \
	sh -c "grep -c '^[a-z]* [^ ]*/api/\(packages\|archives\)/' '$T/planned' || :"
