#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What an operator meets: rights that are missing, objects that were damaged, a program that was
# stopped or killed half-way, a database that was restored. Each is said once, nothing is lost.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

golden=$tests/golden
export PUBFS_HOME="$T/home"
bucket=$PUBFS_HOME/bucket
archives=$PUBFS_HOME/archives/packages
listing=latest/api/packages/oxygen
archive=latest/api/archives/oxygen-1.0.0.tar.gz
site="--base-url https://pub.example.com --runtime-version 2026.08.18"

# shellcheck disable=SC2086 # options
sync_all() { "$PUBFS" sync $site --ttl 0 "$@"; }
sql() { sqlite3 "$PUBFS_HOME/pub.db" "$1"; }
stored() { gzip -dc "$bucket/$1" 2>/dev/null || cat "$bucket/$1"; }
both_equal() { diff -r "$bucket/latest" "$bucket/2026.08.18"; }

"$PUBFS" publish "$golden"/archives/*.tar.gz >/dev/null || not_ok "publish"
sync_all >/dev/null || not_ok "sync"
cp -r "$bucket" whole # what it should be, byte for byte
is_whole() { diff -r "$bucket/latest" whole/latest && both_equal; }

# somebody else, who may read and not write, or not even read
ordinary() { # COMMAND...: as a user without rights on the home, and with a cache of his own
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid 65534 --regid 65534 --clear-groups "$@" --cache "$T/user/cache"
	else
		"$@" --cache "$T/user/cache"
	fi
}
chmod 755 "$T" && mkdir -m 777 user
cp "$PUBFS" program # where everybody may run it
chmod -R a+rX,a-w "$PUBFS_HOME"
check "who may only read reads" ordinary "$T/program" cat "$listing"
fails "rm by who may only read" 3 "permission denied" ordinary "$T/program" rm "$listing"
stored "$listing" | jq -c '.isDiscontinued = true' >edited
fails "put by who may only read" 3 "permission denied" ordinary "$T/program" put edited "$listing"
# shellcheck disable=SC2086 # options
fails "sync by who may only read" 3 "pub.db" ordinary "$T/program" sync $site
unreadable() { # NAME PATTERN FILE COMMAND...: nobody but root may read that file
	unreadable_name=$1 unreadable_pattern=$2 unreadable_file=$3
	shift 3
	chmod 0 "$unreadable_file"
	fails "$unreadable_name" 3 "$unreadable_pattern" ordinary "$T/program" "$@"
	chmod 555 "$unreadable_file"
}
# shellcheck disable=SC2086 # options
unreadable "an unreadable database" "pub.db.*denied" "$PUBFS_HOME/pub.db" sync $site
unreadable "an unreadable store" "bucket.*denied" "$bucket" ls /
unreadable "an unreadable marker of a store" "bucket.*denied" "$bucket/.pubfs-store" ls /
unreadable "an unreadable folder" "latest/.*denied" "$bucket/latest" ls --ttl 0 latest/api
unreadable "an unreadable object" "oxygen.*denied" "$bucket/$listing" cat --ttl 0 "$listing"
if [ "$(id -u)" = 0 ]; then
	fails "an unwritable cache" 3 "cache.*--cache" \
		setpriv --reuid 65534 --regid 65534 --clear-groups "$T/program" ls /
fi
chmod -R u+w "$PUBFS_HOME"
check "nothing was changed" is_whole

# an object that was damaged behind pubfs' back
damage() { printf XXXX | dd of="$1" bs=1 seek=60 conv=notrunc 2>/dev/null; }
damage "$bucket/$listing"
fails "other bytes of the same length are not shown" 3 "damaged" "$PUBFS" cat "$listing"
check "sync --force writes them anew" sync_all --force
check "they are as they were" sh -c "'$PUBFS' cat '$listing' | jq -e .versions"
truncate -s 100 "$bucket/$listing"
fails "a cut object is not shown" 3 "not whole gzip" "$PUBFS" cat --ttl 0 "$listing"
check "sync repairs it" sync_all
for object in "$listing" "$archive"; do
	# what is sound and foreign at one change of its package twice may be another program's
	sql "UPDATE package SET unlisted = NOT unlisted; UPDATE package SET unlisted = NOT unlisted"
	setfattr -x user.pubfs "$bucket/$object"
	check "without its attribute $object is shown" "$PUBFS" cat --ttl 0 "$object"
	same "sync gives it back to $object" "1 touched" \
		sh -c "'$PUBFS' sync $site --ttl 0 | grep -o '[0-9]* touched'"
	check "$object has it" getfattr -n user.pubfs "$bucket/$object"
done
setfattr -x user.pubfs "$bucket/$archive"
fails "what is foreign again, and sound, may be another program's" 4 \
	"another program keeps writing 1 package in latest/" sync_all
check "an operator's word repairs it once more" sync_all --allow-mass-change
for _ in 1 2 3; do
	truncate -s 100 "$bucket/$archive"
	check "sync repairs a cut archive, however often" sync_all
done
truncate -s 60 "$bucket/$listing"
check "and a cut listing at the same change" sync_all
check "all is as it was" is_whole

# a canonical archive that was damaged
cp -a "$archives/oxygen-1.0.0.tar.gz" kept.tar.gz
damage "$archives/oxygen-1.0.0.tar.gz"
rm "$bucket/$archive"
fails "a damaged canonical archive is not exported" 3 "packages/oxygen-1.0.0.tar.gz.*damaged" sync_all
check "its absence is what is left" test ! -e "$bucket/$archive"
cp kept.tar.gz "$archives/oxygen-1.0.0.tar.gz"
truncate -s 100 "$archives/oxygen-1.0.0.tar.gz"
fails "nor is a cut one" 3 "oxygen-1.0.0.tar.gz.*cut" sync_all
cp -a kept.tar.gz "$archives/oxygen-1.0.0.tar.gz"
check "with the right bytes it goes on" sync_all
check "all is as it was again" is_whole

# what is no object, in the store's folders
ln -s /etc/passwd "$bucket/latest/api/packages/passwd"
mkfifo "$bucket/latest/api/packages/pipe"
same "links and pipes in the store are no objects" "6" \
	sh -c "'$PUBFS' ls --ttl 0 latest/api/packages | wc -l"
fails "a link is not followed" 3 "not there" "$PUBFS" cat latest/api/packages/passwd
rm "$bucket/latest/api/packages/passwd" "$bucket/latest/api/packages/pipe"

# a sync that is stopped, or killed, half-way
seq 2000 | jq -c '{package: "p\(.)", version: "1.0.0-a+b", published: "2026-01-01T00:00:00Z",
	pubspec: {name: "p\(.)", version: "1.0.0-a+b"}}' >many.jsonl
"$PUBFS" load many.jsonl >/dev/null || not_ok "load"
begin() { # a sync in the background that has written something when this returns
	# shellcheck disable=SC2086 # options
	"$PUBFS" sync $site --ttl 0 --jobs 1 >sync.out 2>sync.err &
	running=$!
	wait_until test -e "$bucket/2026.08.18/api/packages/p1"
}
begin
kill -TERM "$running"
wait "$running"
same "a sync that is stopped: status 3" 3 echo $?
cp sync.err "$T/.said"
same "a sync that is stopped: one line" 1 sh -c "wc -l <sync.err"
rm -r "$bucket/latest/api/packages/"p* "$bucket/2026.08.18/api/packages/"p* 2>/dev/null
begin
kill -KILL "$running"
wait "$running" 2>/dev/null
check "after a kill -9 it goes on" sync_all
same "every package is there" 2003 sh -c "'$PUBFS' ls latest/api/packages | grep -vc '[.]d$'"
check "both prefixes are equal" both_equal
same "nothing half-written is left" 0 sh -c "ls '$bucket/.pubfs-store/tmp' | wc -l"
same "and there is nothing more to do" "0 written" \
	sh -c "'$PUBFS' sync $site --ttl 0 | grep -o '[0-9]* written'"

# a watch whose terminal is closed
# shellcheck disable=SC2086 # options
"$PUBFS" watch $site 2>watch.err &
running=$!
own "$running"
check "a watch tells of itself" wait_until sh -c "'$PUBFS' status | grep 'command: watch'"
kill -HUP "$running"
wait "$running"
same "it ends as with SIGTERM" 0 echo $?
check "and nothing of it is left" sh -c "! ls '$PUBFS_HOME'/cache/*.status"

# a database that was restored
sqlite3 "$PUBFS_HOME/pub.db" "VACUUM INTO '$T/restored.db'"
sql "UPDATE package SET discontinued = 1 WHERE name = 'oxygen'"
sync_all >/dev/null || not_ok "sync"
from_backup() { sync_all --db "sqlite:$T/restored.db" "$@"; }
fails "a restored database is held" 4 "oxygen.*--rebase" from_backup
fails "also where it would only be planned" 4 "oxygen.*--rebase" from_backup --dry-run
check "nothing was taken back" sh -c "'$PUBFS' cat '$listing' | jq -e .isDiscontinued"
check "--rebase takes its side" from_backup --rebase
check "it did" sh -c "'$PUBFS' cat '$listing' | jq -e '.isDiscontinued | not'"

# options from a file, and the log in another
cat >pubfs.conf <<C
base-url = https://pub.example.com
runtime-version = 2026.08.18

# only the own prefix
prefixes = own
C
sqlite3 restored.db "UPDATE package SET discontinued = 1 WHERE name = 'helium'"
by_file() { "$PUBFS" sync --config pubfs.conf --db "sqlite:$T/restored.db" "$@"; }
check "a sync by a configuration" by_file
check "it wrote the own prefix" \
	sh -c "'$PUBFS' cat 2026.08.18/api/packages/helium | jq -e .isDiscontinued"
check "and left latest/ alone" \
	sh -c "'$PUBFS' cat latest/api/packages/helium | jq -e '.isDiscontinued | not'"
check "the command line goes before it" by_file --prefixes both
check "latest/ has it" sh -c "'$PUBFS' cat latest/api/packages/helium | jq -e .isDiscontinued"
fails "with a log file an error is seen all the same" 3 "none.db" \
	by_file --db "sqlite:$T/none.db" --log-file "$T/log"
check "and stands in it" grep -q "error: .*none.db" log

# a bucket on this host that is made by hand
same "provision makes a folder" "dir:$T/new: made" "$PUBFS" provision --store "dir:$T/new"
same "and leaves one that is there" "dir:$T/new: it is there, nothing was changed" \
	"$PUBFS" provision --store "dir:$T/new"
fails "provision makes none in what is another's" 3 "no store of pubfs and holds other things" \
	"$PUBFS" provision --store "dir:$T"
