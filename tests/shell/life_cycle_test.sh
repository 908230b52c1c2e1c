#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A mount from its start to its end: owners and modes, what it says of itself, signals, a dead one.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=server.sh
. "$tests/shell/server.sh"

if ! can_mount; then
	not_ok "there is no usable /dev/fuse: none of the mount tests ran"
	exit 0
fi
golden=$tests/golden
export PUBFS_HOME="$T/home"
site="--base-url https://pub.example.com --runtime-version 2026.08.18"
m=$T/mnt
packages=$m/latest/api/packages
listing=$packages/oxygen

gone() { ! kill -0 "$daemon"; }
attribute() { getfattr --only-values -n "user.pubfs.$1" "$2"; }

"$PUBFS" publish "$golden"/archives/*.tar.gz >/dev/null || not_ok "publish"
# shellcheck disable=SC2086 # options
"$PUBFS" sync $site >/dev/null || not_ok "sync"
objects=$(find "$PUBFS_HOME/bucket" -name .pubfs-store -prune -o -type f -print | wc -l)
bytes=$(find "$PUBFS_HOME/bucket" -name .pubfs-store -prune -o -type f -printf '%s\n' |
	awk '{ n += $1 } END { print n }')

# attributes, owners and modes
check "mount" mount_at "$m"
same "getfattr -d prints what is known of an object" \
	"cache-control change encoding generation kind md5 metageneration runtime-version sha256 stored-size type validated" \
	sh -c "getfattr -d --absolute-names '$listing' | sed -n 's/^user.pubfs.\([^=]*\)=.*/\1/p' | xargs"
same "of an archive it says the disposition" 'attachment; filename="oxygen-1.0.0.tar.gz"' \
	attribute disposition "$m/latest/api/archives/oxygen-1.0.0.tar.gz"
fails "an attribute cannot be set" 1 "Operation not permitted" \
	setfattr -n user.pubfs.type -v x "$listing"
fails "nor be removed" 1 "Operation not permitted" setfattr -x user.pubfs.type "$listing"
fails "nor be added" 1 "Operation not permitted" setfattr -n user.other -v x "$listing"
fails "there are no security labels" 1 "Operation not supported" \
	setfattr -n security.selinux -v x "$listing"
same "df counts the objects" "$objects" sh -c "df --output=iused '$m' | tail -n 1 | tr -d ' '"
same "and their bytes, in blocks" "$(((bytes + 4095) / 4096))" \
	sh -c "stat -f -c '%b %f' '$m' | awk '{ print \$1 - \$2 }'"
check "a mode that is there can be set" chmod 644 "$listing"
fails "another one cannot" 1 "Operation not permitted" chmod 600 "$listing"
check "an owner that is there can be set" chown "$(id -u):$(id -g)" "$listing"
fails "another one cannot" 1 "Operation not permitted" chown 12345 "$listing"
before=$(stat -c %Y "$listing")
check "a time can be set" touch -d 2001-01-01 "$listing"
same "and is forgotten" "$before" stat -c %Y "$listing"
check "a scratch file takes a time before 1970" sh -c \
	": >'$packages/a.tmp' && touch -d 1969-12-31T23:59:58.5Z '$packages/a.tmp'"
same "and shows it" "-1.500000000" stat -c %.9Y "$packages/a.tmp"
check "a time that no clock shows" touch -d @9223372036854775807 "$packages/a.tmp"
same "is the last that there is" 9223372036853 stat -c %Y "$packages/a.tmp"
rm "$packages/a.tmp"
check "access(2): it can be read and written, not run" \
	sh -c "test -r '$listing' -a -w '$listing' && ! test -x '$listing' && test -x '$packages'"
check "unmount" unmount "$daemon" "$m"

check "mount read-only, without extended attributes" mount_at "$m" -o ro,noxattr
fails "then there are none" 1 "Operation not supported" getfattr -n user.pubfs.type "$listing"
check "ls does not miss them" ls -lR "$m"
fails "nor is anything written" 1 "Read-only file system" truncate -s0 "$listing"
check "unmount" unmount "$daemon" "$m"

fails "allow_other without default_permissions is a mistake" 2 "default_permissions" \
	"$PUBFS" mount "$m" -o allow_other
check "mount with an owner and a mask" \
	mount_at "$m" -o uid=1234,gid=2345,umask=027,allow_other,default_permissions
same "they are shown" "1234 2345 640" stat -c "%u %g %a" "$listing"
same "of folders too" "1234 2345 750" stat -c "%u %g %a" "$packages"
if [ "$(id -u)" = 0 ]; then
	chmod 711 "$T"
	as() { setpriv --reuid "$1" --regid "$2" --clear-groups "$3" "$4" "$5"; }
	check "the owner may read" as 1234 1 cat "$listing" "$listing"
	check "the group may read" as 1 2345 cat "$listing" "$listing"
	fails "the group may not write" 1 "Permission denied" as 1 2345 truncate -s0 "$listing"
	fails "others may not read" 1 "Permission denied" as 1 1 head -c1 "$listing"
	fails "nor look into .pubfs" 1 "Permission denied" as 1 2345 tail -n1 "$m/.pubfs/status"
fi
check "unmount" unmount "$daemon" "$m"

# what a mount says of itself, and what it can be told
check "mount without a database" mount_at "$m"
said=$(sh -c "echo oxygen >'$m/.pubfs/sync'" 2>&1) && not_ok "sync without a database"
same "sync is not supported there" "sh: 1: cannot create $m/.pubfs/sync: Operation not supported" echo "$said"
check "unmount" unmount "$daemon" "$m"
# shellcheck disable=SC2086 # options
check "mount with one" mount_at "$m" $site
cat "$listing" >whole
jq -c '.isDiscontinued = true' whole >edited
check "an edit" cp edited "$listing"
check "another host's change" sh -c "'$PUBFS' rm --cache '$T/other' latest/api/packages/helium"
check "is not seen before the time" test -e "$packages/helium"
check "refresh looks again" sh -c "echo >'$m/.pubfs/refresh' && ! ls '$packages/helium'"
check "sync exports inside the write" sh -c "echo oxygen >'$m/.pubfs/sync' && cmp whole '$listing'"
check "several names" sh -c "printf 'helium\noxygen\n' >'$m/.pubfs/sync' && test -s '$packages/helium'"
sync_says() { # NAME LINE ERROR
	check "$1 fails for a shell" sh -c "! echo '$2' >'$m/.pubfs/sync'"
	check "$1" sh -c "echo '$2' | tee '$m/.pubfs/sync' 2>&1 | grep -q '$3'"
}
sync_says "sync of an unknown package" 'nothing\n' "No such file or directory"
sync_says "sync of no name" 'latest/oxygen\n' "Invalid argument"
sqlite3 "$PUBFS_HOME/pub.db" ".backup '$T/pub.db'"
sqlite3 "$PUBFS_HOME/pub.db" "UPDATE package_version SET pubspec = '{' WHERE package = 'helium'"
sync_says "sync that fails" 'helium\n' "Input/output error"
sqlite3 "$PUBFS_HOME/pub.db" "UPDATE package_change SET change = '1-0123456789abcdef'"
sync_says "sync that is held" 'oxygen\n' "Operation not permitted"
same "changes has those of this mount" "write write write" sh -c "
	jq -r 'select(.name == \"latest/api/packages/oxygen\" or .name == \"latest/api/packages/helium\").action' \
	'$m/.pubfs/changes' | xargs"
check "tail reads the end of changes" sh -c "tail -n 1 '$m/.pubfs/changes' | jq -e .new"
check "tail -c too" sh -c "test \$(tail -c 20 '$m/.pubfs/changes' | wc -c) = 20"
check "cp has all of it" sh -c "cp '$m/.pubfs/changes' all && cat '$m/.pubfs/changes' | cmp - all"
same "status counts" "$objects 0 0" jq -r '"\(.objects) \(.unmapped) \(.rejected)"' "$m/.pubfs/status"
cat "$m/.pubfs/metrics" >metrics
same "metrics count, too" "$objects 0" \
	awk '/^pubfs_objects /{ n = $2 } /^pubfs_rejected_total /{ print n, $2 }' metrics
# shellcheck disable=SC2016 # awk's
check "each has a type, and nothing stands behind the end" awk '
	ended { exit bad = 1 }
	/^# TYPE pubfs_[a-z_]+ (gauge|counter)$/ { type[$3 ($4 == "counter" ? "_total" : "")] = 1; next }
	/^# (UNIT|HELP) pubfs_[a-z_]+ ./ { next }
	/^# EOF$/ { ended = 1; next }
	{ name = $1; sub(/[{].*/, "", name); if (!type[name] || $2 !~ /^[0-9]+([.][0-9]+)?$/) exit bad = 1 }
	END { exit bad || !ended }' metrics
check "find and rm -r pass it by" sh -c "! find '$m' -name .pubfs | grep ."
check "and rsync" sh -c "rsync -a '$m/' all.copied && ! ls -A all.copied | grep -x .pubfs"
check "unmount" unmount "$daemon" "$m"
sqlite3 "$PUBFS_HOME/pub.db" ".restore '$T/pub.db'"

# a store that hangs
serve gcs/gcs_server "bucket exports"
bucket="--store gs://exports --endpoint $url"
# shellcheck disable=SC2086 # options
"$PUBFS" sync $bucket $site >/dev/null || not_ok "sync to a bucket"
# shellcheck disable=SC2086
check "mount a bucket" mount_at "$m" $bucket --cache-size 0
first=$daemon
same "the bucket's checksum is an attribute" 8 sh -c \
	"getfattr --only-values -n user.pubfs.crc32c '$listing' | wc -c"
ends_at() { # NAME KIND COMMAND...: SIGINT ends a program that waits for a request of that kind
	ends_name=$1 kind=$2
	shift 2
	control "reset
fault $kind times=1000 delay=600000"
	perl -e '$SIG{INT} = "DEFAULT"; exec @ARGV' "$@" >/dev/null 2>&1 & # a shell turns it off
	waiting=$!
	wait_until was_asked "$kind" 1
	kill -INT "$waiting"
	wait "$waiting"
	same "$ends_name" "130 0" sh -c "echo $? \$(grep -c 'gave up' '$m.log')"
	control "reset"
}
ends_at "SIGINT ends a reader of a store that hangs" read cat "$listing"
control "fault read delay=1500"
same "a signal that is caught disturbs no reader" "caught, and $(wc -c <whole) bytes" perl -e '
	$SIG{ALRM} = sub { $said = "caught" };
	alarm 1;
	open my $f, "<", $ARGV[0] or die "open: $!";
	local $/;
	printf "%s, and %d bytes", $said, length <$f>;' "$packages/oxygen"

control "reset
fault insert delay=1500"
jq -c '.isDiscontinued = true | .x = 1' "$listing" >caught
same "nor a writer" "caught, and 0" perl -MPOSIX -e '
	$SIG{ALRM} = sub { $said = "caught" };
	open my $in, "<", $ARGV[0] or die "open: $!";
	my $fd = POSIX::open($ARGV[1], O_WRONLY | O_TRUNC) // die "open: $!";
	local $/;
	POSIX::write($fd, my $text = <$in>, -s $in) // die "write: $!";
	alarm 1;
	my $closed = POSIX::close($fd);
	printf "%s, and %s", $said, defined $closed ? $closed + 0 : $!;' caught "$listing"
check "and what it wrote is there" cmp caught "$listing"
control reset

# a store that is gone
# shellcheck disable=SC2086 # options
check "another mount of it" mount_at "$T/gone" $bucket --cache "$T/gone-cache" --ttl 0
degraded() { jq -e ".degraded$1" "$T/gone/.pubfs/status"; }
check "it lists" ls "$T/gone/latest/api/packages"
check "it is not degraded" degraded " == null"
control "fault list times=1000 status=403
fault get times=1000 status=403
fault read times=1000 status=400"
same "without its store the listing can be read" "helium helium.d oxygen oxygen.d oxygen_lamp oxygen_lamp.d" \
	sh -c "ls '$T/gone/latest/api/packages' | xargs"
check "and attributes" stat "$T/gone/latest/api/packages/oxygen"
fails "a mount that has no reason to ask fails where it must" 1 "Input/output error" cat "$packages/helium"
first_is() { jq -e ".degraded $1 null" "$m/.pubfs/status"; }
check "and then it looks whether it is the store" wait_until first_is "!="
check "status says since when, and why" degraded " | .since and (.reason | test(\"403|exports\"))"
control reset
check "it recovers by itself" wait_until degraded " == null"
check "both do" wait_until first_is "=="
check "unmount" unmount "$daemon" "$T/gone"
daemon=$first
check "unmount" unmount "$daemon" "$m"

# the start: ready after mount, credentials and first listing
cat >listener.pl <<'END'
use Socket;
socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die "socket: $!";
bind($s, sockaddr_un($ARGV[0])) or die "bind: $!";
$| = 1;
print "listening\n";
while (defined recv($s, my $text, 4096, 0)) {
	open my $mounts, "<", "/proc/mounts";
	my $mounted = grep { (split)[1] eq $ARGV[1] } <$mounts>;
	print "$text, ", $mounted ? "mounted" : "not mounted", "\n";
}
END
perl listener.pl "$T/notify" "$m" >heard &
listener=$!
own "$listener"
wait_until grep -q listening heard
start_with_manager() {
	# shellcheck disable=SC2086
	NOTIFY_SOCKET="$T/notify" "$PUBFS" mount "$m" $bucket --cache "$T/cold" \
		--runtime-version 2026.08.18 >"$m.log" 2>&1 &
	daemon=$!
	own "$daemon"
}
control "reset
fault list delay=600000"
start_with_manager
wait_until was_asked list 1
check "before the first listing it is not mounted" sh -c "! mountpoint -q '$m'"
same "and nobody was told that it is ready" "listening" cat heard
kill -TERM "$daemon"
wait "$daemon"
same "SIGTERM ends it there too, with status 3" 3 echo $?
control reset
start_with_manager
wait_until grep -q READY heard
same "it is ready when it is mounted" "READY=1, mounted" tail -n 1 heard
check "and when the top and two prefixes have been listed" was_asked list 3
control reset
check "find" sh -c "find '$m' | grep -q oxygen"
same "asks for no listing any more" 0 asked list
check "unmount" unmount "$daemon" "$m"
check "the manager hears that it ends" wait_until grep -q STOPPING=1 heard
kill "$listener"
control "reset
fault list delay=600000"
# shellcheck disable=SC2086,SC2016 # options; perl's
perl -e 'setpgrp; $SIG{INT} = "DEFAULT"; exec @ARGV' "$PUBFS" mount "$m" $bucket --cache "$T/never" \
	>"$m.log" 2>&1 &
starter=$!
own "$starter"
wait_until was_asked list 1
read -r daemon <"/proc/$starter/task/$starter/children"
own "$daemon"
kill -INT "-$starter"
wait "$starter"
same "Ctrl-C ends who starts a daemon" 130 echo $?
check "and the daemon that is not ready" wait_until gone
control "end-delays
reset"
control "tokens required"
# shellcheck disable=SC2086
fails "without credentials there is no mount" 3 "exports" "$PUBFS" mount "$m" $bucket
control "tokens optional"
check "nor a process of one" sh -c "! mountpoint -q '$m'"

# the end
cat >writer.pl <<'END' # LISTING BYTES GO: writes, says so, waits for GO, closes
open(my $f, ">", $ARGV[0]) or die "open: $!";
open(my $in, "<", $ARGV[1]) or die;
{ local $/; syswrite($f, scalar <$in>) or die "write: $!"; }
$| = 1;
print "written\n";
open(my $go, "<", $ARGV[2]);
<$go>;
print close($f) ? "closed\n" : "close: $!\n";
END
mkfifo go
start_writer() {
	rm -f said # an earlier one has said the same
	perl writer.pl "$listing" edited go >said &
	writer=$!
	own "$writer"
	wait_until grep -q written said
}
stored_is() { gzip -dc "$PUBFS_HOME/bucket/latest/api/packages/oxygen" | cmp - "$1"; }
check "mount" mount_at "$m"
check "mounted on already" sh -c "! '$PUBFS' mount '$m' 2>error && grep -q already error"
start_writer
kill -TERM "$daemon"
wait_until grep -q "stopping: 1 file is still being written" "$m.log"
fails "while it stops nothing new is written" 1 "Read-only file system" cp edited "$packages/helium"
check "but it can be read" cmp whole "$listing"
echo >go
wait "$writer"
same "what was being written can be closed" "written closed" xargs <said
check "it ended well" wait "$daemon"
check "the bucket has it" stored_is edited
"$PUBFS" put whole latest/api/packages/oxygen || not_ok "put"

check "mount" mount_at "$m"
start_writer
kill -TERM "$daemon"
wait_until grep -q "stopping: 1 file is still being written" "$m.log"
kill -TERM "$daemon"
wait "$daemon"
same "a second signal does not wait; what is lost makes the status 3" 3 echo $?
check "it says so" grep -q "stopping: told once more, so nothing is waited for" "$m.log"
check "what was lost is named" grep -q "latest/api/packages/oxygen: what was written was not published" "$m.log"
check "the bucket is as it was" stored_is whole
check "it is unmounted" sh -c "! mountpoint -q '$m'"
echo >go
wait "$writer"
same "the writer's close fails" "close: Transport endpoint is not connected" tail -n 1 said

check "mount" mount_at "$m"
perl -e 'chdir $ARGV[0] or die; print "here\n"; $| = 1; print ""; sleep 600' "$packages" >said &
user=$!
own "$user"
wait_until grep -q here said
check "a mount that is in use ends all the same" unmount "$daemon" "$m"
check "lazily, and says so" grep -q "is in use" "$m.log"
kill "$user"

# a mount that would wait for itself
fails "a cache in the folder that is mounted on is refused" 3 "the folder is not empty" \
	"$PUBFS" mount "$m" --cache "$m/cache"
rm -rf "${m:?}/cache"

# a daemon
# shellcheck disable=SC2086 # options
fails "a daemon that fails is heard where it was started" 3 "$T/nowhere.*made by .pubfs sync." \
	"$PUBFS" mount "$m" --update $site --store "dir:$T/nowhere"
check "a daemon" "$PUBFS" mount "$m" --log-file "$T/daemon.log"
mounted="$m $mounted"
daemon=$(jq .pid "$m/.pubfs/status")
own "$daemon"
echo '{}' >broken
check "a refusal" sh -c "! cp broken '$listing'"
check "is in its log" grep -q "refused latest/api/packages/oxygen" daemon.log
check "it has left the terminal and the folder" sh -c "
	test \$(readlink /proc/$daemon/cwd) = / && test \$(readlink /proc/$daemon/fd/2) = /dev/null"
kill -TERM "$daemon"
check "it ends by SIGTERM" wait_until gone

# signals that are off, or come when the mount is gone
(trap '' HUP && exec "$PUBFS" mount "$m" -f >"$m.log" 2>&1) &
daemon=$!
own "$daemon"
mounted="$m $mounted"
wait_until mountpoint -q "$m"
check "SIGHUP that nohup has turned off stays off" sh -c \
	"test \$((0x\$(sed -n 's/^SigIgn:[^0-9a-f]*//p' /proc/$daemon/status) & 1)) = 1"
check "unmount" unmount "$daemon" "$m"
check "mount with a command that does not end" mount_at "$m" --on-change "echo \$\$ >'$T/told'; exec sleep 600"
check "an edit" cp edited "$listing"
wait_until test -s told
own "$(cat told)"
kill -TERM "$daemon"
check "it is unmounted" wait_until sh -c "! mountpoint -q '$m'"
ended() { ! kill -TERM "$daemon"; }
check "another signal ends it, whatever it waits for" wait_until ended

# a dead mount
check "mount" mount_at "$m"
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
fails "a killed mount leaves a dead one" 1 "not connected" stat "$m"
before_service() { # what systemd runs first; where a dash is in front, it may fail
	sed -n "s|/srv/pubfs|'$m'|; s|^ExecStartPre=-\(.*\)|\1 \|\| true|p; s|^ExecStartPre=||p" \
		"$tests/../scripts/dist/pubfs.service" | sh -e
}
check "which does not keep the service from beginning again" before_service
check "mounting there again" mount_at "$m"
check "detaches it, and says so" grep -q "dead mount was detached" "$m.log"
check "and works" test -s "$listing"
check "unmount" unmount "$daemon" "$m"
mkdir foreign
if sh -c 'exec 3<>/dev/fuse && mount -i -t fuse.other -o fd=3,rootmode=40000,user_id=0,group_id=0 other "$1"' \
	sh "$T/foreign" 2>/dev/null; then
	mounted="$T/foreign $mounted"
	fails "that of another program is refused" 3 "a dead mount of another program is there" \
		"$PUBFS" mount "$T/foreign"
	fails "and stays" 1 "not connected" stat "$T/foreign"
else
	skip "that of another program is refused" "only root can make one by hand"
fi
