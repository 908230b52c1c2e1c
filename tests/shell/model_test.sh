#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Random operations by system calls on two mounts of one bucket, compared with a model; and writers
# whose daemon is killed.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if ! can_mount; then
	not_ok "there is no usable /dev/fuse: none of these tests ran"
	exit 0
fi
case ${PUBFS_CONFIGURATION:-plain} in
plain) operations=200000 rounds=8 ;;
*) operations=2000 rounds=2 ;;
esac
export PUBFS_HOME="$T/home"
model=${PUBFS%/*}/tests/mount/model_stress

# an empty bucket: one that had a package
"$PUBFS" publish "$tests/golden/archives/helium-0.1.0.tar.gz" >/dev/null || not_ok "publish"
"$PUBFS" sync --store "dir:$T/bucket" --prefixes latest --base-url https://pub.example.com \
	--runtime-version 2026.08.18 >/dev/null || not_ok "sync"
mount_bucket() { mount_at "$1" --store "dir:$T/bucket"; }
check "mount" mount_bucket "$T/a"
first=$daemon
check "everything can be removed through the mount" sh -c \
	"find '$T/a/latest' -type f -delete && ! find '$T/bucket/latest' -type f | grep ."
check "unmount" unmount "$first" "$T/a"

check "mount the empty bucket" mount_bucket "$T/a"
first=$daemon
check "and once more" mount_bucket "$T/b"
second=$daemon
seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
check "random operations are answered as the model says" \
	"$model" --seed "$seed" --operations "$operations" --mounts "$T/a" "$T/b"
cat "$T/.said" # with the seed
check "unmount the first" unmount "$first" "$T/a"
check "unmount the second" unmount "$second" "$T/b"

# kill -9 of the daemon: each writer counts what a call has said to be written
cat >writer.pl <<'END' # close|fsync|rename FOLDER PACKAGE DONE: the number of the last one in DONE
use strict;
use Errno;
use IO::Handle;
my ($call, $folder, $package, $done) = @ARGV;
my $version = qq({"version":"1.0.0","pubspec":{"name":"$package","version":"1.0.0"},)
	. qq("archive_url":"https://pub.example.com/$package","published":"2024-01-02T03:04:05.678Z"});
my $path = "$folder/$package";
my $to = $call eq "rename" ? "$path.tmp" : $path;
open(my $last, "<", $done) or die;
chomp(my $n = <$last>);
# ESTALE, EBUSY: the mount did not know yet what one before it had written when it was killed
while (write_one($n + 1) or $!{ESTALE} or $!{EBUSY}) {}
sub write_one {
	my ($x) = @_;
	open(my $f, ">", $to) or return 0;
	syswrite($f, qq({"name":"$package","latest":$version,"versions":[$version],"x":$x})) or return 0;
	if ($call eq "fsync") {
		$f->sync or return 0;
		report($x);
	}
	close($f) or return 0;
	$call ne "rename" or rename($to, $path) or return 0;
	report($x);
}
sub report {
	$n = shift;
	open(my $o, ">", $done) or die;
	print $o "$n\n";
	close($o) or die;
}
END
package_of() { # CALL
	case $1 in
	close) echo krypton ;;
	fsync) echo xenon ;;
	rename) echo radon ;;
	esac
}
# the last one that was reported, or the one that was on its way; whole in any case
is_kept() { # CALL
	kept=$(gzip -dc "$T/bucket/latest/api/packages/$(package_of "$1")" 2>/dev/null | jq .x) || kept=
	reported=$(cat "$T/$1.done")
	echo "$1: reported $reported, in the bucket ${kept:-nothing}"
	[ "${kept:-0}" = "$reported" ] || [ "$kept" = $((reported + 1)) ] || return 1
	echo "${kept:-0}" >"$T/$1.done"
}
calls="close fsync rename"
for call in $calls; do
	echo 0 >"$T/$call.done"
done
for round in $(seq "$rounds"); do
	check "round $round: mount" mount_bucket "$T/a"
	writers=
	for call in $calls; do
		perl -X writer.pl "$call" "$T/a/latest/api/packages" "$(package_of "$call")" "$T/$call.done" &
		writers="$writers $!"
	done
	sleep "0.$(shuf -i 100-600 -n 1)"
	kill -KILL "$daemon"
	wait "$daemon" 2>/dev/null
	# shellcheck disable=SC2086 # words
	wait $writers
	check "round $round: what close reported is in the bucket" is_kept close
	check "round $round: what fsync reported is in the bucket" is_kept fsync
	check "round $round: what rename reported is in the bucket" is_kept rename
done
for call in $calls; do
	check "$call has written before the daemon was killed" test "$(cat "$T/$call.done")" -gt 0
done
check "nothing half-written is left" find "$T/bucket/latest" -type f -exec gzip -t {} +
check "after a kill the mount point can be used again" mount_bucket "$T/a"
check "and what was written is shown" sh -c "jq -e .x '$T/a/latest/api/packages/xenon'"
check "the last unmount" unmount "$daemon" "$T/a"
