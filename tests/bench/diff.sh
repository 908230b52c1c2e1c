# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2154 # what scripts/bench sets
# diff.sh - two prefixes of 500,000 objects each, compared by an index that is warm; and a database
# against its bucket.
#
# Bounds: 0.5 s, and no request (the number of which diff_test.c asserts); for verify list pages
# alone (verify_test.c), and 100,000 objects a second of processor time.

objects=500000
echo
echo "diff of two prefixes of $objects objects, all equal: seconds (bound: 0.5)"
"$built/tests/bench/bucket" "$work/two" 0
"$built/tests/bench/bucket" --index "$work/two" "$PUBFS_HOME/cache" "$objects" 2026.08.18 latest
compare() { "$pubfs" diff latest 2026.08.18 --store "dir:$work/two" --ttl 36000 "$@"; }
compare --stat | tail -n 1
for i in $(seq "$runs"); do
	row "  run $i" "$(seconds compare)"
done

packages=3000 versions=9
echo
echo "verify of $packages packages: objects a second of processor time (bound: at least 100,000)"
mkdir -p "$PUBFS_HOME/archives/packages"
awk -v n="$packages" -v v="$versions" -v archives="$PUBFS_HOME/archives/packages" 'BEGIN {
	for (i = 1; i <= n; i++)
		for (j = 1; j <= v; j++) {
			p = sprintf("many%06d", i)
			file = sprintf("%s/%s-1.%d.0.tar.gz", archives, p, j)
			print "archive", j, "of", p >file
			close(file)
			printf "{\"package\":\"%s\",\"version\":\"1.%d.0\",", p, j
			printf "\"published\":\"2026-01-02T03:04:05Z\",\"pubspec\":{\"name\":\"%s\",", p
			printf "\"version\":\"1.%d.0\",\"description\":\"Package %d of many.\",", j, i
			printf "\"environment\":{\"sdk\":\">=3.0.0 <4.0.0\"},\"dependencies\":"
			printf "{\"http\":\"^1.0.0\",\"path\":\"^1.8.0\",\"meta\":\"^1.9.0\"}}}\n"
		}
}' | "$pubfs" load - >/dev/null
"$pubfs" sync "${site[@]}" --gate off >/dev/null
verify_all() { "$pubfs" verify "${site[@]}" --ttl 36000 >"$work/verified"; }
TIMEFORMAT='%U %S'
for i in $(seq "$runs"); do
	used=$({ time verify_all; } 2>&1)
	grep -q ': 0 differ$' "$work/verified" || { echo "bench: they differ" >&2; exit 1; }
	row "  run $i" "$(awk -v used="$used" '{ split(used, s, " "); printf "%d\n", $1 / (s[1] + s[2]) }' "$work/verified")"
done
