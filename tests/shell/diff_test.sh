#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Two prefixes, and two stores, compared by hash.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

export PUBFS_HOME="$T/home"
site="--base-url https://pub.example.com --runtime-version 2026.08.18"

# shellcheck disable=SC2086 # several words each
export_all() { "$PUBFS" publish "$tests"/golden/archives/*.tar.gz && "$PUBFS" sync $site "$@"; }
check "there is an export" export_all

check "what is equal is status 0, and nothing is said" sh -c \
	'test -z "$("$PUBFS" diff latest 2026.08.18)" && "$PUBFS" diff latest/ 2026.08.18/'
check "a prefix does not differ from itself" "$PUBFS" diff latest latest
check "-q" "$PUBFS" diff -q latest 2026.08.18

# each kind of difference
b=$PUBFS_HOME/bucket
"$PUBFS" cat latest/api/packages/oxygen >oxygen
sed 's|https://pub.example.com/|https://elsewhere.example.com/|g' oxygen |
	"$PUBFS" put - latest/api/packages/oxygen
"$PUBFS" rm latest/api/archives/oxygen-1.0.0.tar.gz
"$PUBFS" rm 2026.08.18/api/packages/helium.d/advisories
"$PUBFS" diff latest 2026.08.18 >out
same "a difference is status 1" 1 sh -c '"$PUBFS" diff latest 2026.08.18 >/dev/null; echo $?'
same "-q says the same without a word" 1 sh -c '"$PUBFS" diff -q latest 2026.08.18; echo $?'
same "each difference is a line, in order, by its path" \
	"only in 2026.08.18: api/archives/oxygen-1.0.0.tar.gz
only in latest: api/packages/helium.d/advisories
differs: api/packages/oxygen" cat out
same "as JSON" '{"difference":"only_b","path":"api/archives/oxygen-1.0.0.tar.gz"}
{"difference":"only_a","path":"api/packages/helium.d/advisories"}
{"difference":"different","path":"api/packages/oxygen"}' sh -c '"$PUBFS" diff --json latest 2026.08.18 || :'
"$PUBFS" diff --json latest 2026.08.18 | check "which is JSON" jq -e .
"$PUBFS" diff --stat latest 2026.08.18 >out
same "--stat counts by kind" "listing, different: 1
advisories, only in latest: 1
archive, only in 2026.08.18: 1" sed '$d' out
check "and all objects" grep -q '^[0-9]* objects in latest, [0-9]* in 2026.08.18: 3 differences$' out
same "--stat --json" "1 1 1 3" sh -c \
	'"$PUBFS" diff --stat --json latest 2026.08.18 | jq -r ".count // .differences" | xargs'
"$PUBFS" diff --explain latest 2026.08.18 >out
same "--explain groups by cause" "absent in the first: 1, such as api/archives/oxygen-1.0.0.tar.gz
absent in the second: 1, such as api/packages/helium.d/advisories
another base URL: 1, such as api/packages/oxygen" cat out
"$PUBFS" diff --explain --json latest 2026.08.18 | check "--explain --json" jq -e .

# documents
"$PUBFS" diff latest 2026.08.18 api/packages/oxygen >out
same "of a document, each value that differs is said for both sides" 6 sh -c 'wc -l <out'
check "with its place" grep -q \
	'^- api/packages/oxygen/versions/1.0.0/archive_url "https://elsewhere.example.com/' out
check "and that of the other" grep -q \
	'^+ api/packages/oxygen/versions/1.0.0/archive_url "https://pub.example.com/' out
"$PUBFS" diff --json latest 2026.08.18 api/packages/oxygen | check "as JSON, too" jq -e .a,.b,.pointer
same "one that is on one side" "only in latest: api/packages/helium.d/advisories" sh -c \
	'"$PUBFS" diff latest 2026.08.18 api/packages/helium.d/advisories || :'
check "an equal one says nothing" "$PUBFS" diff latest 2026.08.18 api/packages/oxygen_lamp
fails "one that is nowhere" 3 "neither in latest nor in 2026.08.18" \
	"$PUBFS" diff latest 2026.08.18 api/packages/nobody

# two stores
cp -a "$b" "$T/other"
check "a store and its copy are equal" "$PUBFS" diff "dir:$b" "dir:$T/other"
"$PUBFS" rm --store "dir:$T/other" latest/api/packages/oxygen_lamp
same "two stores by their URLs" "only in dir:$b: latest/api/packages/oxygen_lamp" sh -c \
	"\"$PUBFS\" diff 'dir:$b' 'dir:$T/other' || :"
same "a prefix of another store" "only in latest: api/packages/oxygen_lamp" sh -c \
	"\"$PUBFS\" diff latest 'dir:$T/other/latest' || :"
same "a store is compared with itself" 0 sh -c "\"$PUBFS\" diff 'dir:$b' 'dir:$b'; echo \$?"

# what is wrong with the operands
fails "no prefix and no URL" 2 "'lates' is neither a prefix" "$PUBFS" diff lates 2026.08.18
fails "a prefix and a whole store" 2 "a prefix is compared with a prefix" "$PUBFS" diff latest "dir:$b"
fails "one operand" 2 "too few arguments" "$PUBFS" diff latest
fails "two answers at once" 2 "cannot be combined" "$PUBFS" diff --stat --explain latest 2026.08.18
fails "a prefix that is not there" 3 "there is nothing below 2020.01.01" "$PUBFS" diff latest 2020.01.01
fails "a store that is not there" 3 "$T/nowhere" "$PUBFS" diff "dir:$T/nowhere" "dir:$b"
fails "the same on the other side" 3 "$T/nowhere" "$PUBFS" diff "dir:$b" "dir:$T/nowhere"
fails "a full disk under the output" 3 "cannot write to standard output" sh -c \
	'"$PUBFS" diff latest 2026.08.18 >/dev/full'
