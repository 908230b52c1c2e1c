#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The life of a package in PostgreSQL, exported when it is committed to a bucket of fake-gcs-server.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

use_postgresql
use_fake_gcs
by=mount
# shellcheck source=life_story.sh
. "$tests/shell/life_story.sh"
stop_servers
