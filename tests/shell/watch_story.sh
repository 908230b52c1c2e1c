# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154 # what lib.sh and world.sh set
# watch_story.sh - the updater without a mount, from its start to its end, with other hosts and
# deployments beside it, some of which are killed.
#
# A test sources lib.sh and world.sh before, and says where the database is.

export T # for the command that is told
bucket=$PUBFS_HOME/bucket
url="--base-url https://pub.example.com"

# watching VERSION [OPTION...]: starts one, whose id is $watcher
watching() {
	version=$1
	shift
	# shellcheck disable=SC2086 # options
	"$PUBFS" watch $url --runtime-version "$version" --ttl 0 "$@" 2>>"$T/log" &
	watcher=$!
	own "$watcher"
}
has() { [ -e "$bucket/$1" ]; }
has_not() { ! has "$1"; }
body() { "$PUBFS" cat --ttl 0 "$1"; }
shows() { body "$1" | grep -q "$2"; }
ended() { # ID STATUS
	wait "$1"
	[ $? -eq "$2" ]
}

echo '{"package":"oxygen","version":"1.0.0","published":"2024-01-01T00:00:00Z","pubspec":{"name":"oxygen","version":"1.0.0"}}' \
	>one.jsonl
check "load" intake load one.jsonl

# from commit to bucket
watching 2026.08.18 --on-change 'cat >>"$T/told"; echo end >>"$T/told"'
first=$watcher
check "what is there is exported" wait_until has latest/api/packages/oxygen
check "below the own prefix, too" has 2026.08.18/api/packages/oxygen
sql "UPDATE package_version SET retracted = true"
check "a retraction" wait_until shows latest/api/packages/oxygen '"retracted":true'
sql "UPDATE package_version SET retracted = false"
check "and back" wait_until shows latest/api/packages/oxygen '"oxygen","latest":{"version":"1.0.0","pubspec"'
sql "UPDATE package SET discontinued = true, replaced_by = 'neon'"
check "discontinued" wait_until shows latest/api/packages/oxygen '"replacedBy":"neon"'
sql "INSERT INTO advisory (id, osv) VALUES ('A', '{\"id\":\"A\",\"modified\":\"2024-01-01T00:00:00Z\",\"summary\":\"s\",\"affected\":[{\"package\":{\"ecosystem\":\"Pub\",\"name\":\"oxygen\"},\"versions\":[\"1.0.0\"]}]}');
	INSERT INTO advisory_package VALUES ('A', 'oxygen')"
check "an advisory" wait_until shows latest/api/packages/oxygen.d/advisories '"id":"A"'
sql "DELETE FROM advisory"
check "its removal" wait_until shows latest/api/packages/oxygen.d/advisories '"advisories":\[\]'
sql "UPDATE package SET moderated = true"
check "a package that is moderated" wait_until has_not latest/api/packages/oxygen
sql "UPDATE package SET moderated = false"
check "and reinstated" wait_until has latest/api/packages/oxygen
same "one is live" "2026.08.18 live" sh -c "'$PUBFS' deployments --json | jq -r '.runtime_version + \" \" + .state'"
check "status says that nothing waits, with the exporter's rights" wait_until sh -c \
	"'$PUBFS' status --json | jq -e '.deployments[\"2026.08.18\"] | .waiting.packages == 0 and
		.failing.packages == 0 and ([.hosts[].state] == [\"live\"])'"
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

# No package is in the hands of two: who keeps what it has exported has the lease, of which there is
# one a package, and nobody gets another's that has not lapsed, but for one that rests, which is of
# the threads of its process. What is not so is noted.
sql "CREATE TABLE wrong (package TEXT, what TEXT)"
no_lease="INSERT INTO wrong SELECT NEW.package, 'kept without a lease' WHERE NOT EXISTS (SELECT 1
	FROM lease l WHERE l.name = NEW.package AND l.store = NEW.store AND l.until > NOW);"
taken="INSERT INTO wrong SELECT NEW.name, 'taken from ' || OLD.owner
	WHERE NEW.owner <> OLD.owner AND OLD.until > NOW
	AND NEW.owner NOT LIKE OLD.owner || '/%' AND OLD.owner NOT LIKE NEW.owner || '/%';"
watched() { # TRIGGER "WHEN ON TABLE" STATEMENT
	if [ -n "$database" ]; then
		sql "CREATE FUNCTION $1() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
			SET search_path = pubfs AS \$\$ BEGIN $(echo "$3" | sed 's/NOW/clock_timestamp()/')
			RETURN NULL; END \$\$;
			CREATE TRIGGER $1 AFTER $2 FOR EACH ROW EXECUTE FUNCTION $1()"
	else
		sql "CREATE TRIGGER $1 AFTER $2 BEGIN
			$(echo "$3" | sed "s/NOW/strftime('%Y-%m-%dT%H:%M:%fZ', 'now')/") END"
	fi
}
watched kept_first "INSERT ON export_state" "$no_lease"
watched kept_again "UPDATE ON export_state" "$no_lease"
watched leased "UPDATE ON lease" "$taken"

# hosts that are killed under load, ten times, and started again
load() { # FROM: a hundred packages
	seq "$1" $(($1 + 99)) | jq -c '{package: "p\(.)", version: "1.0.0",
		published: "2026-01-01T00:00:00Z", pubspec: {name: "p\(.)", version: "1.0.0"}}' >more.jsonl
	intake load more.jsonl
}
killed=0
while [ "$killed" -lt 10 ]; do
	load $((killed * 100)) >/dev/null 2>&1
	kill -KILL "$second"
	wait "$second" 2>/dev/null
	# what it had claimed would lapse within two minutes
	sql "UPDATE lease SET until = since WHERE owner LIKE '%/$second/%'"
	watching 2026.08.18
	second=$watcher
	killed=$((killed + 1))
done
waits() { # how many packages are not exported by their newest change
	sql "SELECT count(*) FROM package p JOIN package_change c ON c.package = p.name
		WHERE EXISTS (SELECT 1 FROM package_version v WHERE v.package = p.name)
		AND NOT EXISTS (SELECT 1 FROM export_state s WHERE s.package = p.name
		AND s.change = c.change AND s.prefix = 'latest/2026.08.18')"
}
settled() { [ "$(waits)" -eq 0 ]; }
check "every change is exported once the dust settles" wait_until settled
same "all are in latest/" 1000 sh -c \
	"find '$bucket/latest/api/packages' -maxdepth 1 -name 'p[0-9]*' -type f | wc -l"
same "no package was in the hands of two" "" sql "SELECT * FROM wrong WHERE package NOT LIKE '.site%'"
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
