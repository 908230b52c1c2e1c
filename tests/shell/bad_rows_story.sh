# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154 # what lib.sh and world.sh set
# bad_rows_story.sh - a database in which any program may write what it likes: what is wrong there is
# one clear sentence, costs its package or version and no other, and ends when it is put right.
#
# A test sources lib.sh and world.sh before, and says where the database is.

listing=latest/api/packages
# shellcheck disable=SC2086 # options
sync_all() { "$PUBFS" sync --base-url https://pub.example.com --runtime-version 2026.08.18 --ttl 0; }
row() { # PACKAGE VERSION: a line of JSON
	jq -nc --arg p "$1" --arg v "$2" '{package: $p, version: $v, published: "2026-01-01T00:00:00Z",
		pubspec: {name: $p, version: $v}}'
}
for package in good bad; do
	row $package 1.0.0
	row $package 2.0.0
done >rows.jsonl
check "load" intake load rows.jsonl
check "sync" sync_all

once() { # the same is said again where all packages are read
	sync_all >/dev/null 2>"$T/rows.err"
	status=$?
	sort -u "$T/rows.err" >&2
	return "$status"
}

# A version that no client could read is left out, and its package, the others too, is exported.
turn=0
left_out() { # NAME PATTERN STATEMENT: of the version 1.0.0 of bad
	turn=$((turn + 1))
	sql "$3; UPDATE package SET replaced_by = 'r$turn', discontinued = true WHERE name = 'good'"
	fails "$1: is said" 3 "$2" sync_all
	check "$1: the others are exported" sh -c "'$PUBFS' cat $listing/good | grep -q '\"r$turn\"'"
	same "$1: the version is left out" 2.0.0 \
		sh -c "'$PUBFS' cat $listing/bad | jq -r '.versions[].version' | xargs"
	sql "UPDATE package_version SET pubspec = '{\"name\":\"bad\",\"version\":\"1.0.0\"}',
		version = '1.0.0' WHERE package = 'bad' AND version <> '2.0.0'"
	check "$1: once it is put right it is back" sync_all
	same "$1: and listed" "1.0.0 2.0.0" \
		sh -c "'$PUBFS' cat $listing/bad | jq -r '.versions[].version' | xargs"
}
first="WHERE package = 'bad' AND version = '1.0.0'"
left_out "a pubspec that is no JSON" "bad" "UPDATE package_version SET pubspec = '{\"name\":' $first"
left_out "a pubspec of another package" "bad" \
	"UPDATE package_version SET pubspec = '{\"name\":\"other\",\"version\":\"1.0.0\"}' $first"
left_out "a version that is none" "bad.*1[.]0" "UPDATE package_version SET version = '1.0' $first"
left_out "a version with a slash" "bad.*1/0" "UPDATE package_version SET version = '../1/0' $first"


# What the tables do not take at all.
is_refused() { ! sql "$1"; }
for name in a/b .. '' '1a' "$(printf 'a%.0s' $(seq 65))"; do
	check "the name '$name' is refused" is_refused "INSERT INTO package (name) VALUES ('$name')"
done

# A row that cannot be read makes its package wait, as it is.
waits() { # NAME PATTERN: for what was done to the package bad
	turn=$((turn + 1))
	sql "UPDATE package SET replaced_by = 'r$turn' WHERE name = 'good'"
	fails "$1: is said" 3 "$2" once
	check "$1: the others are exported" sh -c "'$PUBFS' cat $listing/good | grep -q '\"r$turn\"'"
	same "$1: its package is as it was" "1.0.0 2.0.0" \
		sh -c "'$PUBFS' cat $listing/bad | jq -r '.versions[].version' | xargs"
}
if [ -n "$database" ]; then
	check "a NUL is refused" is_refused "UPDATE package SET publisher = 'a' || chr(0) || 'b'"
else
	sql "UPDATE package_version SET pubspec = pubspec || char(0) || 'x' $first"
	waits "a NUL" "package bad.*row 1.0.0: column pubspec has a NUL byte"
	sql "UPDATE package_version SET pubspec = '{\"name\":\"bad\",\"version\":\"1.0.0\"}' $first"
fi
if memory_counts; then # three times 96 MiB
	huge="repeat('x', 96 << 20)"
	[ -n "$database" ] || huge="hex(zeroblob(48 << 20))"
	for version in 0.0.1 0.0.2 0.0.3; do
		sql "INSERT INTO package_version (package, version, pubspec)
			VALUES ('bad', '$version', $huge)"
	done
	waits "huge rows" "the rows of package bad are over 256 MiB"
	sql "DELETE FROM package_version WHERE version LIKE '0.0.%'"
fi
check "once they are right all is well" sync_all

# The database of a registry that is empty, while the bucket is full.
sql "DELETE FROM package_version; DELETE FROM package"
fails "a database without any package" 4 "package" sync_all
check "nothing was removed" "$PUBFS" cat "$listing/good"

# A database that is not whole.
sql "INSERT INTO package (name) VALUES ('good')"
sql "ALTER TABLE package_version RENAME COLUMN retracted TO withdrawn"
fails "a column that is missing is named" 3 "retracted" sync_all
sql "ALTER TABLE package_version RENAME COLUMN withdrawn TO retracted"
sql "DROP TABLE package_version${database:+ CASCADE}" 2>/dev/null
fails "a table that is missing is named" 3 "package_version" sync_all
