#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The life of a package on the default stores, folders of this host: each change by a command.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

by=sync looks=both
# shellcheck source=life_story.sh
. "$tests/shell/life_story.sh"
