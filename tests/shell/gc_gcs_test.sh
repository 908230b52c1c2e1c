#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Collecting in a bucket of Google Cloud Storage: what is asked of the tests' own server, with and
# without requests that remove a hundred objects.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=server.sh
. "$tests/shell/server.sh"

golden=$tests/golden
export PUBFS_HOME="$T/home"
serve gcs/gcs_server "bucket exports"
bucket="--store gs://exports --endpoint $url"
own="--runtime-version 2026.08.18"
accept="--accept 2026.08.18,2026.06.01"

# shellcheck disable=SC2086 # options
gc() { "$PUBFS" gc $bucket $own $accept "$@"; }
keys() { curl -sf "$url/storage/v1/b/exports/o?maxResults=5000&prefix=$1" | jq -r '.items[]?.name'; }
fill() { # COUNT: an old prefix, documents and archives
	control "fill exports $(($1 / 2)) 2025.01.01/api/archives/a"
	control "fill exports $(($1 / 2)) 2025.01.01/api/packages/p"
	control reset
}

check "publish" "$PUBFS" publish "$golden"/archives/*.tar.gz
# shellcheck disable=SC2086 # options
check "sync" "$PUBFS" sync $bucket $own --base-url https://pub.example.com
keys "" >before

fill 3000
check "a collection, a hundred removals a request" gc --batch-delete --ttl 0
same "n objects are n/100 requests and the pages of the lists" "30 0" \
	sh -c "echo $(asked batch) \$(($(asked all) - $(asked batch) - $(asked list) - $(asked delete)))"
check "of the top, of two prefixes, and of the old one (there were $(asked list))" \
	test "$(asked list)" -le 8
keys "" >after
check "nothing else went" cmp before after

fill 3000
control "fault delete times=64 delay=600000"
gc --ttl 0 >out 2>err & # its first requests wait
collection=$!
parallel() { was_asked parallel 64; }
check "64 at a time" wait_until parallel
control end-delays
check "a collection, one removal a request" wait "$collection"
same "n objects are n requests" "3000 0" sh -c "echo $(asked delete) $(asked batch)"
keys "" >after
check "again nothing else went" cmp before after

# what changes between looking and removing
fill 300
check "a dry run, so that the index knows them" gc --ttl 0 --dry-run
printf -- '--b\r\nContent-Type: application/json\r\n\r\n{"name":"%s"}\r\n--b\r\n\r\nnew\r\n--b--\r\n' \
	2025.01.01/api/packages/p000007 | curl -sf -o /dev/null --data-binary @- \
	-H 'Content-Type: multipart/related; boundary=b' \
	"$url/upload/storage/v1/b/exports/o?uploadType=multipart" || not_ok "write"
curl -sf -X DELETE "$url/storage/v1/b/exports/o/2025.01.01%2Fapi%2Fpackages%2Fp000008"
check "a collection by what the index knew" gc --batch-delete --ttl 3600
same "what somebody wrote meanwhile stays, and nothing else" "2025.01.01/api/packages/p000007" \
	keys 2025.01.01/
check "the next one takes it" gc --batch-delete --ttl 3600
same "then all is gone" "" keys 2025.01.01/

# trouble
fill 1000
control "fault batch every=3 drop
fault batch every=4 lost
fault delete every=10 status=503"
check "trouble that passes is not seen" gc --batch-delete --ttl 0
control reset
same "all is gone" "" keys 2025.01.01/
fill 1000
control "deny storage.objects.delete"
gc --batch-delete --ttl 0 >out 2>err
same "without the right to remove: exit 3" 3 echo $?
check "it is said which one" grep -q storage.objects.delete err
check "and not tried again and again (said $(wc -l <err) times)" test "$(wc -l <err)" -le 101
same "and all stays" 1000 sh -c "curl -sf '$url/storage/v1/b/exports/o?maxResults=5000&prefix=2025.01.01/' | jq '.items | length'"
