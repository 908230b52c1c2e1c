#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A store that does not answer: what is known can be used all the same, whoever waits can leave, and
# the mount can be ended.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=server.sh
. "$tests/shell/server.sh"

if ! can_mount; then
	not_ok "there is no usable /dev/fuse: none of these tests ran"
	exit 0
fi
export PUBFS_HOME="$T/home"
m=$T/mnt
packages=$m/latest/api/packages
site="--base-url https://pub.example.com --runtime-version 2026.08.18"
packages_made=257

for i in $(seq $packages_made); do
	printf '{"package":"p%03d","version":"1.0.0","published":"2024-01-02T03:04:05Z","pubspec":{"name":"p%03d","version":"1.0.0"}}\n' "$i" "$i"
done >rows.jsonl
"$PUBFS" load rows.jsonl >/dev/null || not_ok "load"
serve gcs/gcs_server "bucket exports"
bucket="--store gs://exports --endpoint $url"
# no call has ended by its own deadline so far
nothing_gave_up() { ! grep 'gave up' "$m.log"; }
# shellcheck disable=SC2086 # options
"$PUBFS" sync $bucket --cache other $site >/dev/null 2>&1
mount_bucket() { # OPTIONS...
	# shellcheck disable=SC2086
	mount_at "$m" $bucket --ttl 3600 --cache-size 0 "$@"
}

check "mount" mount_bucket
cat "$packages/p001" >known
ls "$packages" >names
control "reset
fault read times=100000 delay=600000"
# all packages but the first are read, each by a program
start_readers() {
	readers=
	for i in $(seq 2 $packages_made); do
		perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' cat "$packages/$(printf 'p%03d' "$i")" >"read.$i" 2>&1 &
		readers="$readers $!"
	done
	own $readers
}
start_readers
check "256 readers wait for a store that hangs" wait_until was_asked read $((packages_made - 1))
check "meanwhile what is known can be listed" sh -c "ls '$packages' | cmp - names"
check "what was read can be read" cmp known "$packages/p001"
check "attributes are there" getfattr -n user.pubfs.sha256 "$packages/p002"
check "status can be asked" jq -e .pid "$m/.pubfs/status"
jq -c '.isDiscontinued = true' known >edited
check "and something else can be written" cp edited "$packages/p001"
check "nothing has waited for that" nothing_gave_up
# shellcheck disable=SC2086 # words
kill -INT $readers
# shellcheck disable=SC2086
wait $readers 2>/dev/null
check "each reader can leave" nothing_gave_up
control "end-delays"
control "reset"
check "once it answers, all can be read" sh -c "find '$packages' -type f -exec cat {} + | grep -q '\"p099\"'"
check "unmount" unmount "$daemon" "$m"

# a server that is stopped: nobody leaves, and each call ends by its own deadline
in_a_call() { grep -q '^State:.*disk sleep\|^State:.*sleeping' "/proc/$1/status" && grep -q fuse "/proc/$1/stack"; }
all_in_a_call() {
	[ "$(id -u)" = 0 ] || return 0
	for reader in $readers; do
		in_a_call "$reader" || return 1
	done
}
check "mount" mount_bucket
ls "$packages" >names
cat "$packages/p001" >known
kill -STOP "$server"
start_readers
check "256 readers wait for a server that is stopped" wait_until all_in_a_call
check "meanwhile its names can be listed" sh -c "ls '$packages' | cmp - names"
check "and what was read can be read" cmp known "$packages/p001"
failed=0
for reader in $readers; do
	wait "$reader" || failed=$((failed + 1))
done
same "each of them ends" "$((packages_made - 1))" echo "$failed"
same "with the errno of a store that fails" "$((packages_made - 1))" sh -c "cat read.* | grep -c ': Input/output error$'"
check "the mount is there" jq -e .pid "$m/.pubfs/status"
start_readers
check "256 wait again" wait_until all_in_a_call
kill -TERM "$daemon"
kill -TERM "$daemon"
check "SIGTERM ends a mount in which 256 wait" wait "$daemon"
# shellcheck disable=SC2086 # words
wait $readers
kill -CONT "$server"
check "once the server goes on, all can be read" mount_bucket
check "all of it" sh -c "find '$packages' -type f -exec cat {} + | grep -q '\"p257\"'"
check "unmount" unmount "$daemon" "$m"

# a writer, and one that waits for its turn on the same file
check "mount" mount_bucket
control "reset
fault insert times=100000 delay=600000"
cat >pair.pl <<'END' # FILE BYTES: a process writes and closes, another one reads what was written
open(my $f, "+<", $ARGV[0]) or die;
open(my $in, "<", $ARGV[1]) or die;
{ local $/; syswrite($f, scalar <$in>) or die; }
$SIG{INT} = "DEFAULT";
my $closer = fork;
if (!$closer) { close($f); exit 0; }
my $asker = fork;
if (!$asker) { <STDIN>; sysseek($f, 0, 0); sysread($f, my $bytes, 10); exit 0; }
$| = 1;
print "$closer $asker\n";
waitpid($closer, 0);
waitpid($asker, 0);
END
jq -c '.isDiscontinued = true | .x = 1' known >edited
mkfifo go
perl pair.pl "$packages/p001" edited >pair <go &
both=$!
own "$both"
exec 9>go
wait_until was_asked insert 1
wait_until test -s pair
read -r closer asker <pair
own "$closer" "$asker"
echo >&9
[ "$(id -u)" != 0 ] || wait_until in_a_call "$asker"
kill -INT "$asker"
check "who waits for its turn on a file can leave" wait_until sh -c "! kill -0 $asker 2>/dev/null || grep -q '^State:.*zombie' /proc/$asker/status"
check "and need not wait for whose turn it is" nothing_gave_up
kill -INT "$closer" "$both"
exec 9>&-
wait "$both"
check "nor has that one to wait for the store" nothing_gave_up
control "end-delays"
control "reset"
check "unmount" unmount "$daemon" "$m"

# the end of a mount that is asked for while an upload is under way
check "mount" mount_bucket
jq -c '.isDiscontinued = true' "$packages/p003" >edited
control "reset
fault insert times=1 delay=600000"
cp edited "$packages/p003" &
writer=$!
own "$writer"
wait_until was_asked insert 1
kill -TERM "$daemon"
check "SIGTERM waits for an upload" wait_until grep -q "stopping: 1 file is still being written" "$m.log"
control "end-delays"
check "which ends well" wait "$writer"
check "and so does the mount" wait "$daemon"
# shellcheck disable=SC2086 # options
check "the bucket has it" sh -c "'$PUBFS' cat $bucket --cache late latest/api/packages/p003 | cmp - edited"
control "reset"

# the end of a mount whose store hangs
check "mount" mount_bucket
control "reset
fault read times=100000 delay=600000"
cat "$packages/p007" >/dev/null 2>&1 &
reader=$!
own "$reader"
wait_until was_asked read 1
kill -TERM "$daemon"
kill -TERM "$daemon"
check "SIGTERM ends a mount whose reader waits for the store" wait "$daemon"
check "and does not wait for the store's deadline" nothing_gave_up
wait "$reader"
control "end-delays"
control "reset"

# and with an updater
# shellcheck disable=SC2086 # options
check "mount --update" mount_bucket --update $site
control "reset
fault insert times=100000 delay=600000
fault list times=100000 delay=600000"
sqlite3 "$PUBFS_HOME/pub.db" "UPDATE package SET discontinued = 1 WHERE name = 'p010'"
wait_until was_asked all 1
kill -TERM "$daemon"
check "SIGTERM ends it while its updater waits for the store" wait "$daemon"
check "and does not wait for the store's deadline either" nothing_gave_up
check "it is unmounted" sh -c "! mountpoint -q '$m'"
