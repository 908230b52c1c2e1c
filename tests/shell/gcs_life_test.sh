#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The life of a package in a bucket of our own server, which insists on every condition: each change
# is made under one that holds, and each object is served as it was sent.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

use_gcs
server_url=$url
by=sync
# shellcheck source=life_story.sh
. "$tests/shell/life_story.sh"

check "what was asked is on record" sh -c "curl -sf '$server_url/control/log' >log && test -s log"
same "no condition failed, and nothing was refused" "" \
	sh -c "awk '\$2 >= 400 && \$2 != 404' log"
stop_servers
