#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Going back to an older prefix: latest/ is made equal to it, and held until it is released.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

export PUBFS_HOME="$T/home"
printf 'base-url = https://pub.example.com\n' >pubfs.conf
export PUBFS_CONFIG="$T/pubfs.conf"
old=2026.07.01 new=2026.08.18
db="$PUBFS_HOME/pub.db"
check "the old deployment exports" sh -c \
	'"$PUBFS" publish "$1"/golden/archives/*.tar.gz && "$PUBFS" sync --runtime-version "$2"' - "$tests" $old
check "the new one, too" "$PUBFS" sync --runtime-version $new

# the new one has spoilt latest/
"$PUBFS" cat latest/api/packages/oxygen | sed 's/"name":"oxygen"/"name":"oxygen","spoilt":true/' |
	"$PUBFS" put - latest/api/packages/oxygen
"$PUBFS" rm latest/api/archives/oxygen-1.0.0.tar.gz
check "latest/ is spoilt" sh -c "! \"\$PUBFS\" diff -q latest $old"
"$PUBFS" promote --dry-run $old >out
same "a dry run names each change in its order" "copy latest/api/archives/oxygen-1.0.0.tar.gz
copy latest/api/packages/oxygen" sh -c "sed -n 's/:.*//; s/ (.*//; /^copy/p' out"
check "and makes none" sh -c "! \"\$PUBFS\" diff -q latest $old"
check "promote" "$PUBFS" promote $old
check "latest/ is equal to the old prefix" "$PUBFS" diff latest $old
check "and marked as its version's" sh -c \
	"\"\$PUBFS\" stat latest/api/packages/oxygen | grep -q 'runtime-version: $old\$'"
same "again: nothing is copied" "0 objects copied, 0 removed, 0 raced, 0 waiting, 0 failed" sh -c \
	"\"\$PUBFS\" promote $old | head -n 1"

# it holds
sqlite3 "$db" "UPDATE package SET discontinued = 1 WHERE name = 'helium'"
"$PUBFS" sync --runtime-version $new >out 2>&1
check "it is held" sh -c '! "$PUBFS" cat latest/api/packages/helium | grep -q isDiscontinued'
check "and who leaves it alone says so" grep -q "held at $old" out
check "its own deployment keeps it fresh" "$PUBFS" sync --runtime-version $old
check "so that it is as the database says" sh -c \
	'"$PUBFS" cat latest/api/packages/helium | grep -q isDiscontinued'
same "where no package waits, none is counted" "latest/ is left as it is: latest/ is held at $old" \
	sh -c "\"\$PUBFS\" sync --runtime-version $new | tail -n 1"
sqlite3 "$db" "UPDATE package SET moderated = 1 WHERE name = 'oxygen_lamp'"
"$PUBFS" sync --runtime-version $new >out 2>&1
check "take-downs reach it all the same" sh -c '! "$PUBFS" stat latest/api/packages/oxygen_lamp 2>&1'
fails "a prefix that shows what was taken down is refused" 3 "is not complete" "$PUBFS" promote $old
same "with what it is" "oxygen_lamp: it was taken down, and is still there" sh -c \
	"\"\$PUBFS\" promote $old 2>/dev/null || :"
sqlite3 "$db" "UPDATE package SET discontinued = 0 WHERE name = 'helium'"
check "release" sh -c "\"\$PUBFS\" promote --release | grep -q 'held at $old no longer'"
check "until it is released" "$PUBFS" sync --runtime-version $new
check "the new one keeps it again" sh -c \
	'! "$PUBFS" cat latest/api/packages/helium | grep -q isDiscontinued'
same "nothing more to release" "latest/ is not held" "$PUBFS" promote --release

# bad input
fails "no version" 2 "too few arguments" "$PUBFS" promote
fails "no runtime version" 2 "'latest' is not a runtime version" "$PUBFS" promote latest
fails "a version and --release" 2 "takes no version" "$PUBFS" promote --release $old
fails "a prefix that is not there" 3 "there is no package below 2020.01.01/" "$PUBFS" promote 2020.01.01
same "and nothing is held" "latest/ is not held" "$PUBFS" promote --release
fails "no database" 3 "there is no database" "$PUBFS" promote --db "sqlite:$T/none.db" $old
