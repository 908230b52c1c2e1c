#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every event of the export format in PostgreSQL.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

use_postgresql
# shellcheck source=events_story.sh
. "$tests/shell/events_story.sh"
stop_servers
