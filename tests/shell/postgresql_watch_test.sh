#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# watch on PostgreSQL.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

use_postgresql
# shellcheck source=watch_story.sh
. "$tests/shell/watch_story.sh"
stop_servers
