#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The mounted tree, used with ordinary tools.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if ! can_mount; then
	not_ok "there is no usable /dev/fuse: none of the mount tests ran"
	exit 0
fi
golden=$tests/golden
export PUBFS_HOME="$T/home"
site="--base-url https://pub.example.com --runtime-version 2026.08.18"
m=$T/mnt
packages=$m/latest/api/packages
archives=$m/latest/api/archives

sync_all() { "$PUBFS" sync --base-url https://pub.example.com --runtime-version 2026.08.18; }
attribute() { getfattr --only-values -n "user.pubfs.$1" "$2"; }
generation() { attribute generation "$1"; }

"$PUBFS" publish "$golden"/archives/*.tar.gz >/dev/null || not_ok "publish"
sync_all >/dev/null || not_ok "sync"
check "mount" mount_at "$m"

# reading
same "the root shows the prefixes and not .pubfs" "2026.08.18 latest" sh -c "ls -A '$m' | xargs"
same ".pubfs can be entered" "changes garbage held metrics refresh rejected status sync unmapped" sh -c "ls '$m/.pubfs' | xargs"
same ".pubfs is for its owner alone" "drwx------ -rw-------" \
	sh -c "stat -c %A '$m/.pubfs' '$m'/.pubfs/* | uniq | xargs"
check "status is JSON and names the process" \
	sh -c "jq -e '.pid == $daemon' '$m/.pubfs/status'"
same "a package and its folder stand side by side" \
	"helium helium.d oxygen oxygen.d oxygen_lamp oxygen_lamp.d" sh -c "ls '$packages' | xargs"
same "jq reads a listing" "oxygen 2" \
	jq -r '"\(.name) \(.versions | length)"' "$packages/oxygen"
same "the size is the decoded size" "$(wc -c <"$packages/oxygen")" stat -c %s "$packages/oxygen"
check "the bucket holds it gzip'ed" \
	sh -c "gzip -dc '$PUBFS_HOME/bucket/latest/api/packages/oxygen' | cmp - '$packages/oxygen'"
check "an archive is what was published" \
	cmp "$archives/oxygen-1.1.0+1.tar.gz" "$golden/archives/oxygen-1.1.0+1.tar.gz"
check "tar lists an archive" tar tzf "$archives/oxygen-1.1.0+1.tar.gz"
check "both prefixes are equal" diff -r "$m/latest" "$m/2026.08.18"
same "find sees each object once: 2 prefixes of 28" 56 sh -c "find '$m' -type f | wc -l"
same "tail -c reads the end" "}" tail -c 1 "$packages/oxygen"
check "what is not there is not there" sh -c "! cat '$packages/nothing' && ! ls '$packages/nothing.d'"
same "the type is an attribute" 'application/json; charset="utf-8"' attribute type "$packages/oxygen"
same "the hash is that of what cat shows" "$(sha256sum <"$packages/oxygen" | cut -d' ' -f1)" \
	attribute sha256 "$packages/oxygen"
check "attributes are read-only" sh -c "! setfattr -n user.pubfs.type -v x '$packages/oxygen'"
check "16 readers at once read the same" sh -c \
	"seq 16 | xargs -P 16 -I{} sha256sum '$packages/oxygen' | sort -u | wc -l | grep -qx 1"

# writing
jq -c '.isDiscontinued = true' "$packages/oxygen" >edited
before=$(generation "$packages/oxygen")
check "cp of an edited listing" cp edited "$packages/oxygen"
check "it reads back" cmp edited "$packages/oxygen"
check "the bucket has it" \
	sh -c "gzip -dc '$PUBFS_HOME/bucket/latest/api/packages/oxygen' | cmp - edited"
after=$(generation "$packages/oxygen")
check "it is a new generation" test "$after" -gt "$before"
same "it is marked as written by hand" hand attribute change "$packages/oxygen"
check "cp of the same bytes" cp edited "$packages/oxygen"
same "the same bytes are not written again" "$after" generation "$packages/oxygen"
check "the other prefix is untouched" sh -c "! cmp -s edited '$m/2026.08.18/api/packages/oxygen'"
jq . "$packages/oxygen" >pretty
check "pretty-printed JSON passes" sh -c "cat pretty > '$packages/oxygen'"
check "it is stored as it was written" cmp pretty "$packages/oxygen"
check "tee" sh -c "tee '$packages/oxygen' <edited >/dev/null && cmp edited '$packages/oxygen'"
check "dd with fsync" dd if=pretty of="$packages/oxygen" conv=fsync bs=100
check "dd wrote all" cmp pretty "$packages/oxygen"
check "a new package's listing by hand" sh -c \
	"jq -c '.name = \"neon\" | .latest.pubspec.name = \"neon\" | .versions[].pubspec.name = \"neon\"' \
	'$packages/helium' > new && cp new '$packages/neon' && cmp new '$packages/neon'"
check "and rm" sh -c "rm '$packages/neon' && ! ls '$packages/neon'"
check "the bucket does not have it" test ! -e "$PUBFS_HOME/bucket/latest/api/packages/neon"

# refusals
before=$(generation "$packages/oxygen")
cp "$packages/oxygen" kept
refused() { # NAME REASON FILTER: a listing that clients could not read
	jq -c "$3" kept >broken
	fails "refused: $1" 1 "Invalid argument" cp broken "$packages/oxygen"
	check "refused: $1: the reason is in .pubfs/rejected" \
		sh -c "tail -n 1 '$m/.pubfs/rejected' | jq -e '.reason | test(\"$2\")'"
}
refused "another name" "name" '.name = "other"'
refused "no versions" "version" '.versions = []'
refused "a hash of 63 digits" "sha256" '.versions[0].archive_sha256 = ("0" * 63)'
refused "advisoriesUpdated is null" "advisoriesUpdated" '.advisoriesUpdated = null'
echo '{"name":' >broken
fails "refused: no JSON" 1 "Invalid argument" cp broken "$packages/oxygen"
fails "refused: no archive" 1 "Invalid argument" cp broken "$archives/oxygen-1.0.0.tar.gz"
fails "refused: an archive of another package" 1 "Invalid argument" \
	cp "$golden/archives/helium-0.1.0.tar.gz" "$archives/oxygen-1.0.0.tar.gz"
check "the reason is in the log" grep -q "latest/api/packages/oxygen" "$m.log"
check "the old object is untouched" cmp kept "$packages/oxygen"
same "and its generation" "$before" generation "$packages/oxygen"
fails "a foreign name is refused at create" 1 "Invalid argument" cp kept "$packages/no.such"
check "the log says why" grep -q "cannot make no.such in /latest/api/packages" "$m.log"
check "a folder is not renamed, and the log says why" sh -c \
	"! mv '$m/latest' '$m/other' 2>/dev/null && grep -q 'cannot rename latest: a folder' '$m.log'"
fails "a name of 65 characters" 1 "Invalid argument" \
	cp kept "$packages/$(printf 'a%.0s' $(seq 65))"
fails "a link" 1 "Operation not permitted" ln -s x "$packages/link"

# what changes nothing
check "truncating alone" sh -c ": > '$packages/oxygen'"
check "truncate -s 0" truncate -s 0 "$packages/oxygen"
check "touch" touch "$packages/oxygen"
check "touch of a new name leaves nothing" sh -c "touch '$packages/argon'; ! ls '$packages/argon'"
check "they changed nothing" cmp kept "$packages/oxygen"
same "they sent nothing" "$before" generation "$packages/oxygen"
sh -c "exec 3>'$packages/oxygen'; head -c 50 kept >&3; kill -KILL \$\$" 2>/dev/null
check "a killed writer publishes nothing" cmp kept "$packages/oxygen"
check "a program with many threads that ends without closing is no killed one" sh -c \
	"'${PUBFS%/*}/tests/mount/threaded_cat' <edited >'$packages/oxygen' &&
	cmp edited '$packages/oxygen' && cp kept '$packages/oxygen'"
check "a reader keeps the generation it opened" sh -c \
	"exec 3<'$packages/oxygen'; cp edited '$packages/oxygen'; cmp kept /dev/fd/3 || exit 1
	cmp edited '$packages/oxygen'"

# folders
check "mkdir and rmdir of a virtual folder" sh -c \
	"mkdir '$m/2030.01.01' && ls -d '$m/2030.01.01' && rmdir '$m/2030.01.01' && ! ls -d '$m/2030.01.01'"
fails "rmdir of a full folder" 1 "not empty" rmdir "$packages/oxygen.d"
check "the skeleton stays" sh -c "! rmdir '$m/latest/api/packages'"
check "the log says so" grep -q "cannot remove latest/api/packages: every export has this folder" "$m.log"
check "a folder emptied here stays until rmdir" sh -c \
	"rm '$packages/oxygen_lamp.d/'* && ls -d '$packages/oxygen_lamp.d' &&
	rmdir '$packages/oxygen_lamp.d' && ! ls -d '$packages/oxygen_lamp.d'"
fails "rm of what is not there" 1 "No such file" rm "$packages/argon"

# another process
check "sync beside the mount" sync_all
check "it is seen at once" test -e "$packages/oxygen_lamp.d/advisories"
check "the hand edit was replaced" sh -c "! cmp -s edited '$packages/oxygen'"
check "a write by pubfs put" sh -c "'$PUBFS' put edited latest/api/packages/oxygen &&
	cmp edited '$packages/oxygen'"
check "an rm by pubfs rm" sh -c "'$PUBFS' rm latest/api/packages/oxygen && ! ls '$packages/oxygen'"
sync_all >/dev/null

# life
fails "a mount point in use" 3 "mnt" "$PUBFS" mount "$m"
check "SIGTERM unmounts, status 0" unmount "$daemon" "$m"
check "mount again" mount_at "$m"
kill -INT "$daemon"
check "SIGINT unmounts, status 0" wait "$daemon"
check "read-only" mount_at "$m" --read-only
fails "writing to a read-only mount" 1 "Read-only file system" cp edited "$packages/oxygen"
fails "rm on a read-only mount" 1 "Read-only file system" rm "$packages/oxygen"
check "unmount" unmount "$daemon" "$m"

# a daemon: the parent ends when the mount is ready
check "as a daemon" "$PUBFS" mount "$m" --log-file "$T/daemon.log"
mounted="$m"
echo daemon >>"${PUBFS_TEST_MOUNTS:-/dev/null}"
check "it is there when the parent has ended" mountpoint -q "$m"
daemon=$(jq .pid "$m/.pubfs/status")
own "$daemon"
check "umount" umount "$m"
gone() { ! kill -0 "$daemon"; }
check "the daemon ends after umount" wait_until gone

# the updater inside
# shellcheck disable=SC2086 # options
check "mount --update" mount_at "$m" --update $site
sqlite3 "$PUBFS_HOME/pub.db" "UPDATE package SET discontinued = 1 WHERE name = 'helium'"
discontinued() { jq -e .isDiscontinued "$m/$1/api/packages/helium"; }
check "a change in the database reaches latest/" wait_until discontinued latest
check "and the own prefix" wait_until discontinued 2026.08.18
sqlite3 "$PUBFS_HOME/pub.db" "UPDATE package SET moderated = 1 WHERE name = 'helium'"
check "a take-down reaches the tree" wait_until test ! -e "$packages/helium"
check "unmount with the updater" unmount "$daemon" "$m"
