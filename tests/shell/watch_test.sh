#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# watch on SQLite.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

watch() { "$PUBFS" watch --runtime-version 2026.08.18 "$@"; }
fails "without a base URL" 2 "base-url is needed" watch
fails "without a database" 3 "no database" watch --base-url https://pub.example.com
# shellcheck source=watch_story.sh
. "$tests/shell/watch_story.sh"
