#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What only reading tells, in a bucket of our own server: bytes that are not what their metadata
# say. `verify --deep` names them, and the sync after it writes those anew, and no others.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=server.sh
. "$tests/shell/server.sh"

serve gcs/gcs_server "bucket exports"
export PUBFS_HOME="$T/home"
printf '%s\n' "store = gs://exports" "endpoint = $url" "base-url = https://pub.example.com" \
	"runtime-version = 2026.08.18" >pubfs.conf
export PUBFS_CONFIG="$T/pubfs.conf"
check "there is an export" sh -c '"$PUBFS" publish "$1"/golden/archives/*.tar.gz && "$PUBFS" sync' - "$tests"

objects=$url/storage/v1/b/exports/o
address() { echo "$objects/$(jq -rn --arg key "$1" '$key | @uri')"; }
# damage KEY FILE: other bytes under the metadata of before, our hash of it among them
damage() {
	{
		printf -- '--b\r\nContent-Type: application/json\r\n\r\n'
		curl -sf "$(address "$1")" | jq -c '{name, contentType, contentEncoding, cacheControl,
			contentDisposition, metadata} | with_entries(select(.value != null))'
		printf -- '\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n'
		cat "$2"
		printf '\r\n--b--\r\n'
	} >upload
	curl -sf -o /dev/null -H 'Content-Type: multipart/related; boundary=b' \
		--data-binary @upload "$url/upload/storage/v1/b/exports/o?uploadType=multipart"
}
generations() { curl -sf "$objects?maxResults=1000" | jq -r '.items[] | "\(.name) \(.generation)"'; }
written() { generations | diff before - | sed -n 's/^> \(.*\) .*/\1/p'; }

listing=latest/api/packages/helium
archive=2026.08.18/api/archives/oxygen-1.0.0.tar.gz
"$PUBFS" cat "$listing" | jq -c '.isDiscontinued = true' | gzip -9n >other.gz
echo 'no archive' >other.tar.gz
check "a listing gets other bytes" damage "$listing" other.gz
check "an archive, too" damage "$archive" other.tar.gz
check "and a document of no package" damage latest/not-found.json other.gz
check "that is not seen without reading" "$PUBFS" verify --ttl 0
generations >before
check "nor by sync, which believes the metadata" "$PUBFS" sync --ttl 0
same "so that it writes nothing" "" written
why="its bytes are not those of the hash in its metadata"
"$PUBFS" verify --deep >out
same "verify --deep names each: status 1" "1 damaged $archive: $why
damaged $listing: $why
damaged latest/not-found.json: $why" sh -c "echo $? \"\$(sed '\$d' out)\""
check "sync repairs them" "$PUBFS" sync
same "it has written exactly those" "$archive
$listing
latest/not-found.json" written
check "then verify --deep finds nothing" "$PUBFS" verify --deep --ttl 0
generations >before
check "and another sync" "$PUBFS" sync
same "has nothing to do" "" written

# who may not write
check "a listing gets other bytes again" damage "$listing" other.gz
same "which is found" 1 sh -c '"$PUBFS" verify --deep --ttl 0 | grep -c ^damaged'
curl -sf -o /dev/null --data-binary "deny storage.objects.delete
deny storage.objects.create" "$url/control"
"$PUBFS" sync >out 2>said
same "without the right to write sync says so" "3 1" sh -c "echo $? \$(grep -c 'storage.objects' said)"
curl -sf -o /dev/null --data-binary reset "$url/control"
check "with it, it is repaired" "$PUBFS" sync
check "and nothing is left to be found" "$PUBFS" verify --deep --ttl 0
stop_servers
