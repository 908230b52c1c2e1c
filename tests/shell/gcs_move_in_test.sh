#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Moving in on a bucket of our own server that another exporter wrote: metadata and all.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

"${PUBFS%/*}/tests/gcs/gcs_server" "bucket exports" >"$T/url" &
server=$!
processes="$processes $server"
check "the server starts" wait_until test -s "$T/url"
url=$(cat "$T/url")
export PUBFS_HOME="$T/home"
printf '%s\n' "store = gs://exports" "endpoint = $url" "base-url = https://pub.example.com" \
	"runtime-version = 2026.08.18" >pubfs.conf
export PUBFS_CONFIG="$T/pubfs.conf"
# as pub.dev's exporter: its only key is `validated`, in local time and without Z
put_foreign() {
	{
		printf -- '--b\r\nContent-Type: application/json\r\n\r\n'
		jq -cn --arg name "$1" --arg type "$3" --arg encoding "$4" '{name: $name, contentType: $type,
			metadata: {validated: "2026-08-01T12:00:00.000"}}
			+ if $encoding == "" then {} else {contentEncoding: $encoding} end'
		printf -- '\r\n--b\r\nContent-Type: application/octet-stream\r\n\r\n'
		cat "$2"
		printf '\r\n--b--\r\n'
	} >"$T/upload"
	curl -sf -o /dev/null -H 'Content-Type: multipart/related; boundary=b' \
		--data-binary "@$T/upload" "$url/upload/storage/v1/b/exports/o?uploadType=multipart"
}
stored() {
	curl -sf "$url/storage/v1/b/exports/o/$(jq -rn --arg key "$1" '$key | @uri')?alt=media" \
		-H 'Accept-Encoding: gzip'
}
# shellcheck source=move_in_story.sh
. "$tests/shell/move_in_story.sh"
kill -TERM "$server"
check "the server ends" wait "$server"
