#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A mount by an ordinary user, through fusermount3. Root plays one, in a mount namespace of its own
# in which /dev/fuse is open to everybody; where that cannot be, it skips and says why.
if [ "$(id -u)" = 0 ] && [ -z "${PUBFS_TEST_NODE:-}" ]; then
	node=$(mktemp -d "${TMPDIR:-/tmp}/pubfs-node-XXXXXX")
	mknod "$node/fuse" c 10 229 2>/dev/null && chmod 666 "$node/fuse"
	PUBFS_TEST_NODE=$node/fuse unshare -m sh -c \
		'mount --bind "$PUBFS_TEST_NODE" /dev/fuse 2>/dev/null; exec sh "$1"' sh "$0"
	status=$?
	rm -rf "$node"
	exit $status
fi
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

as_user() { "$@"; }
if [ "$(id -u)" = 0 ]; then
	as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
fi
can_open() { as_user sh -c ': <>/dev/fuse' 2>/dev/null; }
if ! command -v fusermount3 >/dev/null || ! can_open; then
	skip "an ordinary user mounts" "user mount: fusermount3 is missing, or /dev/fuse is not open to one"
	exit 0
fi
chmod 711 "$T"
mkdir -m 700 user user/mnt
cp "$PUBFS" pubfs
cp -r "$tests/golden/archives" user/archives
[ "$(id -u)" != 0 ] || chown -R 65534:65534 user
export PUBFS_HOME="$T/user/home"
m=$T/user/mnt
listing=$m/latest/api/packages/oxygen
log=$T/user/log
user_pubfs() { as_user "$T/pubfs" "$@"; }
start() { # OPTIONS...: a daemon of the user's. Sets $daemon.
	user_pubfs mount "$m" --log-file "$log" "$@" || return 1
	mounted="$m"
	daemon=$(as_user jq .pid "$m/.pubfs/status")
	own "$daemon"
	echo "$0" >>"${PUBFS_TEST_MOUNTS:-/dev/null}"
}
gone() { ! kill -0 "$daemon"; }

check "an ordinary user publishes" user_pubfs publish user/archives/*.tar.gz
check "and exports" user_pubfs sync --base-url https://pub.example.com --runtime-version 2026.08.18
check "and mounts" start
same "it is a mount of pubfs" fuse.pubfs findmnt -n -o FSTYPE "$m"
check "it can be read" as_user jq -e '.name == "oxygen"' "$listing"
same "its files are the user's" "$(as_user id -u) $(as_user id -g)" as_user stat -c '%u %g' "$listing"
as_user jq -c '.isDiscontinued = true' "$listing" >edited
check "it can be written" as_user cp edited "$listing"
check "the bucket has it" sh -c \
	"gzip -dc '$PUBFS_HOME/bucket/latest/api/packages/oxygen' | cmp - edited"
echo '{}' >broken
fails "what clients could not read is refused" 1 "Invalid argument" as_user cp broken "$listing"
check "who was refused is known" as_user jq -e ".uid == $(as_user id -u)" "$m/.pubfs/rejected"
if [ "$(id -u)" = 0 ]; then
	fails "nobody else is let in, not even root" 1 "Permission denied" cat "$listing"
fi
check "the user unmounts it" as_user fusermount3 -u "$m"
check "the daemon ends" wait_until gone
check "mount again" start
kill -TERM "$daemon"
check "SIGTERM ends it" wait_until gone
check "and unmounts it" sh -c "! findmnt '$m'"
check "and again" start
kill -KILL "$daemon"
wait_until gone
check "a dead one is detached at the start" start
check "and said" grep -q "a dead mount was detached" "$log"
check "it works" as_user cmp edited "$listing"
kill -TERM "$daemon"
check "SIGTERM ends that" wait_until gone
if ! grep -qs '^user_allow_other' /etc/fuse.conf; then
	user_pubfs mount "$m" -o allow_other,default_permissions >said 2>&1
	same "others may be let in only where the system allows it" 3 echo $?
	check "fusermount3 says how" grep -q user_allow_other said
fi
if [ -n "${PUBFS_TEST_NODE:-}" ]; then
	chmod 600 "$PUBFS_TEST_NODE"
	fails "without the device it says what to do" 3 "become root" user_pubfs mount "$m"
fi
