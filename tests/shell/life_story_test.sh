#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The life of a package on the default store, a folder of this host.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=life_story.sh
. "$tests/shell/life_story.sh"
