#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# How much one pass may change, by the limits of the command line: as many pass, and one more is
# held with its release named, whole, in the listings and in what is made of all packages.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

export PUBFS_HOME="$T/home"
printf 'base-url = https://pub.example.com\nruntime-version = 2026.08.18\nttl = 0\n' >pubfs.conf
export PUBFS_CONFIG="$T/pubfs.conf"
sql() { sqlite3 "$PUBFS_HOME/pub.db" "$1"; }
shown() { "$PUBFS" ls latest/api/packages | grep -vc '[.]d$'; }
feed_has() { "$PUBFS" cat latest/feed.atom | grep -o "<title>v1.0.0 of $1<" | wc -l; }

seq -f '%02g' 20 | jq -R -c '{package: "p\(.)", version: "1.0.0", published: "2026-01-01T00:00:00Z",
	pubspec: {name: "p\(.)", version: "1.0.0", environment: {sdk: "^3.0.0"}}}' >packages.jsonl
check "load" "$PUBFS" load packages.jsonl
check "sync" "$PUBFS" sync

# take-downs
sql "UPDATE package SET moderated = 1 WHERE name <= 'p04'"
fails "four take-downs where three may be" 4 \
	"4 packages in latest/ would be taken down.*--allow-mass-change" "$PUBFS" sync --max-takedowns 3
same "all are shown" 20 shown
sql "UPDATE package SET moderated = 0, likes = 1"
check "with the rows put right nothing is held" "$PUBFS" sync
sql "UPDATE package SET moderated = 1 WHERE name <= 'p03'"
check "three pass where three may be" "$PUBFS" sync --max-takedowns 3
same "three are not shown any more" 17 shown
same "nor in the feed" "0 1" sh -c "echo $(feed_has p03) $(feed_has p04)"
sql "UPDATE package SET moderated = 1 WHERE name <= 'p07'"
fails "a share of the packages: four of 17 where a fifth may be" 4 "4 packages in latest/" \
	"$PUBFS" sync --max-takedowns 20%
same "what is held stays in the feed, too" "1 1" sh -c "echo $(feed_has p04) $(feed_has p07)"
sql "UPDATE package SET moderated = 1 WHERE name = 'p20'"
fails "a single one beside it goes on" 4 "4 packages in latest/" "$PUBFS" sync --max-takedowns 20%
same "in the listings and in the feed" "16 0 1" sh -c "echo $(shown) $(feed_has p20) $(feed_has p04)"
check "the release" "$PUBFS" sync --max-takedowns 20% --allow-mass-change
same "takes all of it down" "12 0" sh -c "echo $(shown) $(feed_has p04)"

# rewrites
sql "UPDATE package SET discontinued = 1 WHERE name <= 'p10' AND name > 'p07'"
fails "three rewrites where two may be" 4 "3 of 12 listings in latest/ would be rewritten.*--allow-mass-change" \
	"$PUBFS" sync --max-rewrites 2
fails "it is held though more may be now" 4 "3 of 12 listings in latest/" "$PUBFS" sync --max-rewrites 3
check "the release of that" "$PUBFS" sync --max-rewrites 2 --allow-mass-change
sql "UPDATE package SET discontinued = 1 WHERE name <= 'p12' AND name > 'p10'"
check "two pass where two may be" "$PUBFS" sync --max-rewrites 2
check "they are rewritten" sh -c '"$PUBFS" cat latest/api/packages/p12 | jq -e .isDiscontinued'

# bad input
for limit in x -1 101% 1.5 ""; do
	fails "a limit of '$limit'" 2 "max-takedowns" "$PUBFS" sync "--max-takedowns=$limit"
done
