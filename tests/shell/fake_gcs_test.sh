#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The main job on fake-gcs-server, an emulator that others made: a bucket is provisioned and checked,
# lives the life of a package, each change exported when it is committed, and is then changed by hand
# through the mount and the commands.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

serve gcs/fake_gcs_server
# an emulator may be named as Google's own libraries have it
export STORAGE_EMULATOR_HOST="${url#http://}"
# the archives are there, too: an export copies them on the server
configure "store = gs://exports" "archives = gs://canonical"

fails "a bucket that is not there is said to be missing" 3 "no bucket exports" "$PUBFS" ls /
for bucket in exports canonical; do
	same "provision makes gs://$bucket" "gs://$bucket: made" \
		"$PUBFS" provision --store "gs://$bucket" --project pubfs-test
	same "provision changes nothing that is there" \
		"gs://$bucket: it is there, nothing was changed" \
		"$PUBFS" provision --store "gs://$bucket" --project pubfs-test
done
same "check finds that all works" "works 8" \
	sh -c "'$PUBFS' check | awk '{ n[\$NF]++ } END { for (i in n) print i, n[i] }'"
same "check leaves nothing behind" latest "$PUBFS" ls /

by=mount
# shellcheck source=life_story.sh
. "$tests/shell/life_story.sh"

check "mount once more" mount_at "$T/mnt"
listing=$T/mnt/latest/api/packages/oxygen
sed 's/^{"name":"oxygen",/&"isDiscontinued":true,/' "$listing" >edited
check "cp of a changed listing" cp edited "$listing"
check "it reads back, also without the mount" \
	sh -c "cmp edited '$listing' && '$PUBFS' cat latest/api/packages/oxygen | cmp edited"
same "diff shows it" "Files latest/api/packages/oxygen and 2026.08.18/api/packages/oxygen differ" \
	sh -c "cd '$T/mnt' && diff -rq latest 2026.08.18 || test \$? -eq 1"
echo '{"name":"oxygen"}' >broken
check "a broken listing is refused" sh -c "! cp broken '$listing' && cmp edited '$listing'"
check "rm" rm "$T/mnt/latest/api/archives/oxygen-1.0.0.tar.gz" "$T/mnt/latest/api/packages/helium"
check "sync puts all right" sync_all
check "the mounted tree is the golden tree" is_golden
check "unmount" unmount "$daemon" "$T/mnt"
rm -r "$PUBFS_HOME/cache"
check "with the index lost, sync finds nothing to do" idle

# what a load balancer would have from the bucket
object() { echo "http://$STORAGE_EMULATOR_HOST/storage/v1/b/exports/o/$(printf %s "$1" | jq -sRr @uri)"; }
same "an archive has its headers" \
	'application/octet public, max-age=7200 attachment; filename="oxygen-1.0.0.tar.gz" null' \
	sh -c "curl -sf '$(object latest/api/archives/oxygen-1.0.0.tar.gz)' |
		jq -r '\"\(.contentType) \(.cacheControl) \(.contentDisposition) \(.contentEncoding)\"'"
same "a listing has its headers" 'application/json; charset="utf-8" public, max-age=120 null gzip' \
	sh -c "curl -sf '$(object latest/api/packages/oxygen)' |
		jq -r '\"\(.contentType) \(.cacheControl) \(.contentDisposition) \(.contentEncoding)\"'"
check "an archive is the one that was published" \
	sh -c "curl -sf '$(object latest/api/archives/oxygen-1.0.0.tar.gz)?alt=media' |
		cmp - '$golden/archives/oxygen-1.0.0.tar.gz'"
check "a listing is decoded for whoever cannot" \
	sh -c "curl -sf '$(object latest/api/packages/oxygen)?alt=media' |
		cmp - '$golden/$nn/latest/api/packages/oxygen'"
stop_servers
