#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Reading in every way a program may, on real mounts: archives in ranges, maps, readers that stop
# half way, many at once; what a bucket is asked for meanwhile; and fio, which checks what it wrote.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=server.sh
. "$tests/shell/server.sh"

if ! can_mount; then
	not_ok "there is no usable /dev/fuse: none of the reading tests ran"
	exit 0
fi
export PUBFS_HOME="$T/home"
m=$T/mnt
site="--base-url https://pub.example.com --runtime-version 2026.08.18"
reader=${PUBFS%/*}/tests/mount/mapped_reader
archive=latest/api/archives/oxygen-9.0.0.tar.gz

for i in $(seq 100); do
	printf '{"package":"p%03d","version":"1.0.0","published":"2024-01-02T03:04:05Z","pubspec":{"name":"p%03d","version":"1.0.0"}}\n' "$i" "$i"
done >rows.jsonl
"$PUBFS" publish "$tests"/golden/archives/*.tar.gz >/dev/null || not_ok "publish"
"$PUBFS" load rows.jsonl >/dev/null || not_ok "load"
# shellcheck disable=SC2086 # options
"$PUBFS" sync $site >/dev/null 2>&1
put_archive() { "$PUBFS" put --gate off --reason test "$1" $archive; }

# an archive of 12 MiB, which is read in ranges
for f in big other; do head -c 12582912 /dev/urandom >$f; done
check "a big archive" put_archive big
check "mount" mount_at "$m" --gate off
check "it is read from its start to its end" cmp big "$m/$archive"
same "tail -c reads its end" "$(tail -c 100000 big | md5sum)" sh -c "tail -c 100000 '$m/$archive' | md5sum"
same "dd reads its middle" "$(dd if=big bs=777 skip=9999 count=100 2>/dev/null | md5sum)" \
	sh -c "dd if='$m/$archive' bs=777 skip=9999 count=100 2>/dev/null | md5sum"
same "and without the page cache" "$(dd if=big bs=64k skip=99 count=2 2>/dev/null | md5sum)" \
	sh -c "dd if='$m/$archive' iflag=direct bs=64k skip=99 count=2 2>/dev/null | md5sum"
check "beyond the end there is nothing" sh -c \
	"test -z \"\$(dd if='$m/$archive' bs=1M skip=12 2>/dev/null)\""
echo | "$reader" "$m/$archive" mapped read >said
check "it can be mapped" cmp big mapped
check "and read and mapped by one program" cmp big read
check "8 at once read the same" sh -c \
	"seq 8 | xargs -P 8 -I{} md5sum '$m/$archive' | sort -u | wc -l | grep -qx 1"

# readers that stop half way
check "a reader that has enough" sh -c "head -c 3000000 '$m/$archive' | cmp - big 2>&1 | grep -q EOF"
cat >half.pl <<'END' # FILE OLD: reads half, stops, reads on; says whether that is what OLD has
open(my $old, "<", $ARGV[1]) or die "open: $!\n";
read($old, my $whole, 12582912) == 12582912 or die "read: $!\n";
open(my $f, "<", $ARGV[0]) or die "open: $!\n";
read($f, my $first, 6291456) == 6291456 or die "read: $!\n";
kill STOP => $$;
$! = 0;
read($f, my $rest, 6291456);
my ($why, $got) = ("$!", $first . ($rest // ""));
print substr($whole, 0, length $got) ne $got ? "other bytes\n" : $got eq $whole ? "all of it\n" : "$why\n";
END
stop_half_way() { # OLD
	perl half.pl "$m/$archive" "$1" >said 2>&1 &
	half=$!
	own "$half"
	wait_until grep -q '^State:.*stopped' "/proc/$half/status"
}
go_on() {
	kill -CONT "$half"
	wait "$half"
}
stop_half_way big
check "beside one that is stopped others read" cmp big "$m/$archive"
go_on
same "it can go on" "all of it" cat said
stop_half_way big
check "and write" cp other "$m/$archive"
go_on
# the kernel may have kept all of them, or let go of some at any time
check "it has the old ones, or is told that they are gone" grep -qx "all of it\|Input/output error" said
stop_half_way other
check "and write what nobody has read so far" cp big "$m/$archive"
go_on
same "it gets no bytes of another generation" "Input/output error" cat said
check "the new ones are there for who comes next" cmp big "$m/$archive"
stop_half_way big
kill -KILL "$half"
wait "$half" 2>/dev/null
check "one that is killed leaves nothing behind" cmp big "$m/$archive"

# fio writes at random places, and checks each block by its checksum
fio_on() { # ARGUMENTS...: on three archives at once
	fio --name=archive --directory="$m/latest/api/archives" --filename_format='fio-$jobnum.0.0.tar.gz' \
		--numjobs=3 --size=3M --verify=crc32c --verify_fatal=1 --do_verify=1 --fallocate=none \
		--group_reporting --output=fio.log "$@"
}
check "fio: random writes" fio_on --rw=randwrite --bs=4k --randseed=1
check "fio: sequential writes, and fsync" fio_on --rw=write --bs=128k --fsync=8
check "fio: what was written is still there" fio_on --rw=read --bs=128k --verify_only
check "fio: of many sizes, by pwritev" fio_on --rw=randwrite --bsrange=512-64k --bs_unaligned --ioengine=pvsync
check "the bucket has what fio has written" sh -c "
	for i in 0 1 2; do cmp '$m/latest/api/archives/fio-'\$i.0.0.tar.gz \
		'$PUBFS_HOME/bucket/latest/api/archives/fio-'\$i.0.0.tar.gz || exit 1; done"
check "unmount" unmount "$daemon" "$m"

# a bucket: what it is asked for
serve gcs/gcs_server "bucket exports"
# shellcheck disable=SC2086 # options
"$PUBFS" sync --store gs://exports --endpoint "$url" --cache other-cache $site >/dev/null 2>&1
mount_bucket() { mount_at "$m" --store gs://exports --endpoint "$url" --cache "$T/bodies" --ttl 3600; }
read_all() { find "$m/latest/api/packages" -type f -print0 | xargs -0 -P 32 -n 1 md5sum | sort; }
"$PUBFS" put --store gs://exports --endpoint "$url" --cache other-cache --gate off --reason test big $archive 2>said
check "mount a bucket" mount_bucket
files=$(find "$m/latest/api/packages" -type f | wc -l)
control "reset
fault read times=32 delay=600000"
read_all >cold &
all=$!
check "32 readers are served side by side" wait_until was_asked parallel 32
control "end-delays"
wait "$all"
same "each has read its file" "$files" sh -c "wc -l <cold"
same "a body is one request, whoever reads beside" "$files" asked read
control "reset
fault read times=32 delay=600000"
all=
for i in $(seq 0 31); do
	dd if="$m/$archive" bs=64k skip=$((i * 6)) count=1 of="part.$i" 2>/dev/null &
	all="$all $!"
done
check "32 parts of a large archive are read side by side" wait_until was_asked parallel 32
control "end-delays"
# shellcheck disable=SC2086 # words
wait $all
# where they are not, those that stand still are given up, and asked for again beside the old ones
same "each of them by one request" 32 asked read
check "each part is the right one" sh -c 'for i in $(seq 0 31); do
	dd if=big bs=64k skip=$((i * 6)) count=1 2>/dev/null | cmp - "part.$i" || exit 1; done'
control "reset"
read_all >warm
check "to read all of it again" cmp cold warm
same "asks for nothing" 0 asked all
check "unmount" unmount "$daemon" "$m"
control "reset"
check "mount again" mount_bucket
same "which asks for the names at the top, and nothing else" "1 1" echo "$(asked list)" "$(asked all)"
control "reset"
check "to list all of it after a remount" ls -lR "$m/latest"
read_all >warm
check "and to read it" cmp cold warm
same "asks for nothing" 0 asked all
check "unmount" unmount "$daemon" "$m"
rm -rf bodies
check "mount without what was cached" mount_bucket
control "reset
fault read times=1 delay=600000"
seq 32 | xargs -P 32 -I{} md5sum "$m/latest/api/packages/oxygen" >shared &
all=$!
wait_until was_asked read 1
control "end-delays"
wait "$all"
same "32 readers of one body" "32 1" sh -c "echo \$(wc -l <shared) \$(sort -u shared | wc -l)"
same "share one request" 1 asked read
check "unmount" unmount "$daemon" "$m"
