#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The database against the bucket: what is broken is named, and sync repairs that.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

export PUBFS_HOME="$T/home"
printf 'base-url = https://pub.example.com\nruntime-version = 2026.08.18\n' >pubfs.conf
export PUBFS_CONFIG="$T/pubfs.conf"
check "there is an export" sh -c '"$PUBFS" publish "$1"/golden/archives/*.tar.gz && "$PUBFS" sync' - "$tests"
same "what is equal is status 0, and one line" "56 objects of 3 packages: 0 differ" "$PUBFS" verify
same "--deep reads all" "56 objects of 3 packages, 56 of them read: 0 differ" "$PUBFS" verify --deep

# differs NAME EXPECTED: that is found, then repaired, and then there is nothing
differs() {
	"$PUBFS" verify >out
	status=$?
	same "$1 is found, and nothing else" "1 $2" sh -c "echo $status \"\$(sed '\$d' out)\""
	check "$1: sync repairs it" "$PUBFS" sync
	check "$1: then nothing differs" "$PUBFS" verify --deep
}

"$PUBFS" rm latest/api/packages/oxygen.d/advisories
differs "a missing document" "missing latest/api/packages/oxygen.d/advisories: it is not there"
"$PUBFS" rm 2026.08.18/api/archives/oxygen-1.0.0.tar.gz
differs "a dangling archive" \
	"dangling 2026.08.18/api/archives/oxygen-1.0.0.tar.gz: the listing names it, and it is not there"
"$PUBFS" cat latest/api/packages/helium | sed 's/}$/,"more":1}/' | "$PUBFS" put - latest/api/packages/helium
differs "a hand edit" \
	"stale latest/api/packages/helium: it was written by hand, and will be replaced"
db="$PUBFS_HOME/pub.db"
sqlite3 "$db" "UPDATE package SET moderated = 1 WHERE name = 'oxygen_lamp'"
same "a take-down that waits" 16 sh -c '"$PUBFS" verify | grep -c "^extra .*oxygen_lamp.*: the package is moderated$"'
check "is made by sync" "$PUBFS" sync
check "and then nothing differs" "$PUBFS" verify
# an attribute that is lost, as by cp without -a
victim="$PUBFS_HOME/bucket/latest/api/packages/helium"
cp "$victim" plain && rm "$victim" && cp plain "$victim"
same "an object that lost its metadata" 1 sh -c \
	'"$PUBFS" verify --ttl 0 | grep -c "^headers latest/api/packages/helium:"'
check "is repaired by sync" "$PUBFS" sync --ttl 0
check "after which nothing differs" "$PUBFS" verify --deep

# bytes that changed under their metadata, which only reading them tells
printf 'x' | dd of="$victim" bs=1 seek=20 conv=notrunc 2>/dev/null
check "damaged bytes are not seen without reading" "$PUBFS" verify
same "nor does sync see them" "0 written" sh -c '"$PUBFS" sync --ttl 0 | grep -o "[0-9]* written"'
printf 'x' | dd of="$PUBFS_HOME/bucket/2026.08.18/api/archives/oxygen-1.0.0.tar.gz" bs=1 seek=20 conv=notrunc 2>/dev/null
printf 'x' | dd of="$PUBFS_HOME/bucket/latest/feed.atom" bs=1 seek=20 conv=notrunc 2>/dev/null
"$PUBFS" verify --deep >out
same "reading finds each" \
	"1 damaged 2026.08.18/api/archives/oxygen-1.0.0.tar.gz: its bytes are damaged
damaged latest/api/packages/helium: its bytes are damaged
damaged latest/feed.atom: its bytes are damaged" sh -c "echo $? \"\$(sed '\$d' out)\""
check "what is to be repaired is known beside the index" grep -q "^latest/api/packages/helium [0-9]" "$PUBFS_HOME"/cache/*.damaged
same "sync repairs those, and nothing else" "2 written, 1 copied, 0 touched, 0 removed" sh -c \
	'"$PUBFS" sync | grep -o "[0-9]* written.*removed"'
check "so that --deep finds nothing" "$PUBFS" verify --deep
check "and nothing is known to be damaged any more" sh -c '! ls "$PUBFS_HOME"/cache/*.damaged'

# what stays
mkdir -p "$PUBFS_HOME/bucket/latest/api/packages/helium.d" &&
	echo x >"$PUBFS_HOME/bucket/latest/api/packages/helium.d/notes"
sqlite3 "$db" "DELETE FROM package_version WHERE version = '1.0.0'"
"$PUBFS" sync >/dev/null
"$PUBFS" verify --ttl 0 >out
same "garbage and strays are named, and are no difference" \
	"0 garbage 2026.08.18/api/archives/oxygen-1.0.0.tar.gz: its version has no row; it waits for gc
garbage latest/api/archives/oxygen-1.0.0.tar.gz: its version has no row; it waits for gc
stray latest/api/packages/helium.d/notes: an export makes no object of this name" \
	sh -c "echo $? \"\$(sed '\$d' out)\""
"$PUBFS" verify --json | check "--json is an object a line" jq -e .
same "with the sums at the end" "2 1 0" sh -c \
	'"$PUBFS" verify --json | jq -r "select(.packages) | \"\(.garbage) \(.stray) \(.differences)\""'
check "one package alone" sh -c '"$PUBFS" verify helium | grep -q "of 1 package: 0 differ"'

# bad input
fails "a package that is not there" 3 "nobody is not in the database" "$PUBFS" verify nobody
fails "no base URL" 2 "--base-url is needed" env PUBFS_CONFIG= "$PUBFS" verify --runtime-version 2026.08.18
fails "no runtime version" 2 "--runtime-version is needed" env PUBFS_CONFIG= "$PUBFS" verify --base-url https://x.example
fails "another base URL than it was written with" 4 "was written with another base URL (https:[^ ]*) than https://other" \
	"$PUBFS" verify --base-url https://other.example.com
fails "no database" 3 "there is no database" "$PUBFS" verify --db "sqlite:$T/none.db"
fails "no bucket" 3 "there is no store at $T/none: .* made by .pubfs sync." "$PUBFS" verify --store "dir:$T/none"
fails "no archives" 3 "there is no store at $T/none: .* made by .pubfs publish." "$PUBFS" verify --archives "dir:$T/none"
fails "a full disk under the output" 3 "cannot write to standard output" sh -c '"$PUBFS" verify >/dev/full'
sqlite3 "$db" "DELETE FROM package"
fails "an empty database" 4 "the database has no package at all" "$PUBFS" verify
check "nothing was made" sh -c '! ls none none.db'
