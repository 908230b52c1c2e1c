#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What is wrong in a database of SQLite.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"
# shellcheck source=bad_rows_story.sh
. "$tests/shell/bad_rows_story.sh"
