#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Who sees what, and when: one mount, other processes of the host, other hosts (that is, mounts with
# an index of their own); readers and writers that hold a file while it is changed elsewhere.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if ! can_mount; then
	not_ok "there is no usable /dev/fuse: none of the consistency tests ran"
	exit 0
fi
export PUBFS_HOME="$T/home"
reader=${PUBFS%/*}/tests/mount/mapped_reader
key=latest/api/packages/oxygen

# 300 packages; one listing has a few pages
for i in $(seq 300); do
	printf '{"package":"p%03d","version":"1.0.0","published":"2024-01-02T03:04:05Z","pubspec":{"name":"p%03d","version":"1.0.0"}}\n' "$i" "$i"
done >rows.jsonl
"$PUBFS" publish "$tests"/golden/archives/*.tar.gz >/dev/null || not_ok "publish"
"$PUBFS" load rows.jsonl >/dev/null || not_ok "load"
"$PUBFS" sync --base-url https://pub.example.com --runtime-version 2026.08.18 >/dev/null 2>&1
# documents of one length, each of another number
"$PUBFS" cat $key | jq -c '.x = 10000 | .long = ("some text " * 2000)' >base
document() { sed "s/\"x\":10000/\"x\":$1/" base; }
number=10000
next() { # the next document: ./new, and the one before: ./old
	number=$((number + 1))
	document "$number" >new
}
turn() { cp new old && next; }
next
"$PUBFS" put new $key >/dev/null || not_ok "put"

check "mount" mount_at "$T/here" --ttl 3600
here=$daemon
check "the same bucket on the same host" mount_at "$T/beside" --ttl 3600
beside=$daemon
check "on another host" mount_at "$T/other" --ttl 3600 --cache "$T/other-cache"
other=$daemon
check "on one that looks at every open" mount_at "$T/eager" --ttl 0 --cache "$T/eager-cache"
eager=$daemon
check "on one that looks every second" mount_at "$T/soon" --ttl 1 --cache "$T/soon-cache"
soon=$daemon

# a reader that holds a file, and those who come after the change
mkfifo go
changed_beneath() { # NAME MOUNT COMMAND...: ./new comes to be what the bucket has, by that command
	what=$1 seen=$2/$key
	shift 2
	turn
	cmp -s old "$seen" || not_ok "$what: at first it is the old one"
	before=$(stat -c '%s %Y %Z' "$seen")
	"$reader" "$seen" mapped read >said <go &
	holder=$!
	own "$holder"
	exec 9>go
	wait_until grep -q open said
	check "$what" "$@"
	check "$what: a new open has the new bytes" cmp new "$seen"
	same "$what: and the length" "${before%% *}" stat -c %s "$seen"
	same "$what: its number is in the new bytes" "$number" jq .x "$seen"
	echo >&9
	exec 9>&-
	check "$what: who held it could go on" wait "$holder"
	check "$what: what was mapped is the old one" cmp old mapped
	check "$what: what was read is the old one" cmp old read
}
changed_beneath "a write of this mount" "$T/here" cp new "$T/here/$key"
changed_beneath "another process of the host" "$T/here" "$PUBFS" put new $key
changed_beneath "another mount of the host" "$T/here" cp new "$T/beside/$key"
cat "$T/eager/$key" >/dev/null
changed_beneath "another host, with --ttl 0" "$T/eager" cp new "$T/here/$key"
echo >"$T/other/.pubfs/refresh"
cat "$T/other/$key" >/dev/null
turn
cp new "$T/here/$key"
check "another host's change is not seen before the time" sh -c "! cmp -s new '$T/other/$key'"
check "another host's is seen after the time" wait_until cmp new "$T/soon/$key"
check "refresh sees it at once" sh -c "echo >'$T/other/.pubfs/refresh' && cmp new '$T/other/$key'"
check "what is removed beside is gone at once" sh -c "rm '$T/beside/latest/api/packages/p001' &&
	! test -e '$T/here/latest/api/packages/p001' && ! ls '$T/here/latest/api/packages' | grep -x p001"
check "with --ttl 0 on another host as well" sh -c "! test -e '$T/eager/latest/api/packages/p001'"

# lost races between two hosts: the loser is told, and the winner's bytes stay
cat >writer.pl <<'END' # FILE BYTES fsync|close: opens, says so, waits, writes, says what came of it
use Fcntl; use IO::Handle;
$| = 1;
sysopen(my $f, $ARGV[0], O_WRONLY | O_TRUNC) or die "open: $!\n";
print "open\n";
<STDIN>;
open(my $in, "<", $ARGV[1]) or die;
{ local $/; syswrite($f, scalar <$in>) or die "write: $!\n"; }
if ($ARGV[2] eq "fsync") { print $f->sync ? "fsync: done\n" : "fsync: $!\n"; }
print close($f) ? "close: done\n" : "close: $!\n";
END
lose_by() { # HOW EXPECTED: somebody changes the file between the open and the write of another host
	echo >"$T/other/.pubfs/refresh"
	turn
	cp new lost && turn
	perl writer.pl "$T/other/$key" lost "$1" >said <go &
	holder=$!
	own "$holder"
	exec 9>go
	wait_until grep -q open said
	cp new "$T/here/$key" || not_ok "the winner of $1"
	echo >&9
	exec 9>&-
	wait "$holder"
	same "the loser of a race is told by $1" "$2" sh -c "tail -n +2 said | xargs"
	check "and has overwritten nothing ($1)" sh -c "'$PUBFS' cat $key | cmp - new"
}
lose_by close "close: Stale file handle"
lose_by fsync "fsync: Stale file handle close: Stale file handle"
turn
cp new "$T/here/$key"
document 1 >mine
fails "cp onto what another host has changed" 1 "Stale file handle" cp mine "$T/other/$key"
check "has overwritten nothing" sh -c "'$PUBFS' cat $key | cmp - new"
check "and once more: it knows now what is there" cp mine "$T/other/$key"
echo >"$T/here/.pubfs/refresh"
turn
cp new "$T/here/$key"
document 2 >mine
cp mine "$T/other/$key.tmp"
fails "mv onto what another host has changed" 1 "Device or resource busy" \
	mv "$T/other/$key.tmp" "$T/other/$key"
check "has overwritten nothing, and the scratch file is there" sh -c \
	"'$PUBFS' cat $key | cmp - new && cmp mine '$T/other/$key.tmp'"
check "and once more" mv "$T/other/$key.tmp" "$T/other/$key"
echo >"$T/here/.pubfs/refresh"
turn
cp new "$T/here/$key"
fails "rm of what another host has changed" 1 "Device or resource busy" rm "$T/other/$key"
check "has removed nothing" sh -c "'$PUBFS' cat $key | cmp - new"
check "rm -f fails as well where it is another again" sh -c "
	cp mine '$T/here/$key'; ! rm -f '$T/other/$key' && '$PUBFS' cat $key | cmp - mine"
check "what another host has removed is removed" sh -c \
	"rm '$T/here/latest/api/packages/p002' && rm '$T/other/latest/api/packages/p002'"

# many at once, on two hosts: each change that was reported is in the sum
cat >adder.pl <<'END' # FILE TIMES: adds 1 to .x, TIMES times; prints how often that was reported as done
use Fcntl;
my $done = 0;
for (1 .. $ARGV[1]) {
	my $text;
	sysopen(my $f, $ARGV[0], O_RDWR) or next;
	next unless sysread($f, $text, 1 << 20) and $text =~ s/"x":(\d+)/'"x":' . ($1 + 1)/e;
	truncate($f, 0) && sysseek($f, 0, 0) && syswrite($f, $text) == length $text or next;
	close($f) and $done++;
}
print "$done\n";
END
"$PUBFS" rm $key
"$PUBFS" cat 2026.08.18/api/packages/oxygen | jq -c '.x = 0' >zero
"$PUBFS" put zero $key >/dev/null || not_ok "put"
adders=
for mount in here beside eager eager; do
	perl adder.pl "$T/$mount/$key" 40 >>reported.each &
	adders="$adders $!"
done
own $adders
# shellcheck disable=SC2086 # words
check "four writers at once on three mounts" wait $adders
reported=$(awk '{ n += $1 } END { print n }' reported.each)
check "some of them won" test "$reported" -gt 0
same "each change that was reported was made, and no other" "$reported" sh -c "'$PUBFS' cat $key | jq .x"

"$PUBFS" put zero $key >/dev/null || not_ok "put"
check "who maps a file beside writers of the same mount has all of it" \
	"${PUBFS%/*}/tests/mount/write_modes" "$T/here/$key" zero

# a folder that is read while it changes
cat >lister.pl <<'END' # FOLDER: reads some names, says so, waits, reads the rest; prints all
opendir(my $d, $ARGV[0]) or die "$!\n";
my @names = map { scalar readdir $d } 1 .. 20;
$| = 1;
print STDERR "reading\n";
<STDIN>;
push @names, readdir $d;
print join("\n", sort grep { !/^\.\.?$/ } @names), "\n";
END
folder=$T/here/latest/api/packages
ls "$folder" >before.names
perl lister.pl "$folder" >read.names 2>said <go &
holder=$!
own "$holder"
exec 9>go
wait_until grep -q reading said
for i in $(seq 10 7 300); do
	p=$(printf 'p%03d' "$i")
	rm "$folder/$p" "$folder/$p.d/advisories" && rmdir "$folder/$p.d"
	sed "s/$p/n$p/g; s/oxygen/n$p/g" zero >"$folder/n$p"
done
echo >&9
exec 9>&-
wait "$holder"
ls "$folder" >after.names
check "many names have come and gone" sh -c "test \$(comm -3 before.names after.names | wc -l) -gt 80"
check "each unchanged name was read exactly once" sh -c \
	"sort before.names >b; sort after.names >a; comm -12 a b >unchanged; comm -12 unchanged read.names | cmp - unchanged &&
	test -z \"\$(uniq -d read.names)\""

for one in "$here here" "$beside beside" "$other other" "$eager eager" "$soon soon"; do
	check "unmount ${one#* }" unmount "${one% *}" "$T/${one#* }"
done
