#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The life of a package in a bucket of our own server, which insists on every condition: each change
# is made under one that holds, and each object is served as it was sent.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

"${PUBFS%/*}/tests/gcs/gcs_server" "bucket exports" "bucket canonical" >"$T/url" &
server=$!
processes="$processes $server"
check "the server starts" wait_until test -s "$T/url"
printf 'store = gs://exports\narchives = gs://canonical\nendpoint = %s\n' "$(cat "$T/url")" >pubfs.conf
export PUBFS_CONFIG="$T/pubfs.conf"
looks=mount
# shellcheck source=life_story.sh
. "$tests/shell/life_story.sh"

check "what was asked is on record" sh -c "curl -sf '$(cat "$T/url")/control/log' >log && test -s log"
same "no condition failed, and nothing was refused" "" \
	sh -c "awk '\$2 >= 400 && \$2 != 404' log"
kill -TERM "$server"
check "the server ends" wait "$server"
