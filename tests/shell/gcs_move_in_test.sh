#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Moving in on a bucket of our own server that another exporter wrote: metadata and all.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=server.sh
. "$tests/shell/server.sh"

serve gcs/gcs_server "bucket exports"
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

# what it costs, and a bucket that fails half-way
requests_of() { # COMMAND...: all, and those that are no list
	control reset
	"$PUBFS" "$@" >out
	echo "$(asked all) $(($(asked all) - $(asked list)))"
}
check "the index knows both" "$PUBFS" diff --ttl 0 latest $own
same "diff of a warm index sends nothing" "0 0" requests_of diff latest $own
same "neither does verify" "0 0" requests_of verify
check "verify of a cold one lists, and does nothing else" sh -c "[ '$(requests_of verify --ttl 0 | cut -d' ' -f2)' = 0 ]"
check "they write one more" write_listing latest many03
control "deny storage.objects.update"
"$PUBFS" adopt --ttl 0 >out 2>said
same "adopt without the right to is a failure" "3 1 failed" sh -c \
	"echo $? \"\$(sed 's/.*, //' out)\""
check "that says what is missing" grep -q "storage.objects.update" said
control "reset
deny storage.objects.get"
"$PUBFS" verify --deep >out 2>said
same "verify --deep of what cannot be read is a failure" 3 echo $?
"$PUBFS" diff --explain latest $own >out 2>said
same "so is diff --explain" 3 echo $?
check "which says why, once for each" grep -q "many03" said
control reset
same "with the right, adopt goes on" "1 adopted" sh -c \
	'"$PUBFS" adopt --ttl 0 | sed "s/.*: //; s/,.*//"'
stop_servers
