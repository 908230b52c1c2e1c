#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The system calls that a mount refuses, and those that strain it.
# shellcheck source=lib.sh disable=SC3045 # dash has ulimit -S
. "$(dirname "$0")/lib.sh"

if ! can_mount; then
	not_ok "there is no usable /dev/fuse: none of these tests ran"
	exit 0
fi
export PUBFS_HOME="$T/home"
m=$T/mnt
packages=$m/latest/api/packages
ulimit -Sn 4096

"$PUBFS" publish "$tests"/golden/archives/*.tar.gz >/dev/null || not_ok "publish"
"$PUBFS" sync --base-url https://pub.example.com --runtime-version 2026.08.18 >/dev/null || not_ok "sync"

ulimit -Sn 64
check "mount, where few files may be open unless one asks for more" mount_at "$m"
ulimit -Sn 4096
cp -r "$m" before
check "each odd call is answered as it should be, and a thousand open files are no trouble" \
	"${PUBFS%/*}/tests/mount/odd_calls" "$m"
check "nothing has changed" diff -r before "$m"
same "nothing is left in the mount" "2026.08.18 latest" sh -c "find '$m' -mindepth 1 -name '.*'; ls -A '$m' | xargs"
check "unmount" unmount "$daemon" "$m"

# a limit that cannot be raised
cat >few <<END
#!/bin/sh
ulimit -n 40
exec "$PUBFS" "\$@"
END
chmod +x few
program=$PUBFS
PUBFS=$T/few
check "mount, where no more than 40 files can be open" mount_at "$m"
PUBFS=$program
cat >big.pl <<'END' # FOLDER: writes files that need a temporary one each, until that fails; says how
my @files;
for (1 .. 100) {
	open(my $f, ">", "$ARGV[0]/.big.$_") or die "open: $!\n";
	my $n = syswrite($f, "x" x 400000);
	print("write: $!\n"), last unless defined $n;
	push @files, $f;
}
print scalar(@files) > 5 ? "some\n" : "hardly any\n";
close($_) or die "close: $!\n" for @files;
END
same "a write for which no file can be opened says so" \
	"write: Too many open files in system some" sh -c "perl big.pl '$packages' | xargs"
check "and in the log what to do" grep -q "raise the limit" "$m.log"
check "the mount goes on" sh -c "rm '$packages'/.big.* && jq -c '.isDiscontinued = true' \
	'$packages/oxygen' >edited && cp edited '$packages/oxygen' && cmp edited '$packages/oxygen'"
check "unmount" unmount "$daemon" "$m"
