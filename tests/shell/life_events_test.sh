#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The life of a package on the default stores, changed by hand, and exported by a mount when that is
# committed.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

by=mount hand=yes
# shellcheck source=life_story.sh
. "$tests/shell/life_story.sh"
