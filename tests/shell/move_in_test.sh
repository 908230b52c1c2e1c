#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Moving in on a folder that another exporter's files were copied to.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

export PUBFS_HOME="$T/home"
printf 'base-url = https://pub.example.com\nruntime-version = 2026.08.18\n' >pubfs.conf
export PUBFS_CONFIG="$T/pubfs.conf"
bucket=$PUBFS_HOME/bucket
file_of() { # KEY: what lies below a package is in its folder
	echo "$bucket/$(echo "$1" | sed 's|\(/api/packages/[^/]*\)/|\1.d/|')"
}
put_foreign() { # a file without an attribute of ours
	file=$(file_of "$1")
	mkdir -p "$(dirname "$file")" && rm -f "$file" && cp "$2" "$file"
}
stored() { cat "$(file_of "$1")"; }
# shellcheck source=move_in_story.sh
. "$tests/shell/move_in_story.sh"
