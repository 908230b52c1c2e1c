# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # what scripts/bench sets
# diff.sh - two prefixes of 500,000 objects each, compared by an index that is warm.
#
# Bound: 0.5 s, and no request (the number of which diff_test.c asserts).

objects=500000
echo
echo "diff of two prefixes of $objects objects, all equal: seconds"
"$built/tests/bench/bucket" "$work/two" 0
"$built/tests/bench/bucket" --index "$work/two" "$PUBFS_HOME/cache" "$objects" 2026.08.18 latest
compare() { "$pubfs" diff latest 2026.08.18 --store "dir:$work/two" --ttl 36000 "$@"; }
compare --stat | tail -n 1
for i in $(seq "$runs"); do
	row "  run $i" "$(seconds compare)"
done
