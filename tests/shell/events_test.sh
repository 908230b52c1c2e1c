#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Every event of the export format on the default stores, in SQLite.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

# shellcheck source=events_story.sh
. "$tests/shell/events_story.sh"
