# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # what scripts/bench sets and uses
# gc.sh - collecting an old prefix of 100,000 objects at a distance of 20 ms.
#
# Bounds: with batch delete, 1,000 requests and the pages of the lists; without, 64 jobs are busy for
# at least 0.90 of the time: that part of it 64 threads take that do nothing but the same DELETEs
# (remove_floor.c). Another measure of it is the server's clock: without the proxy it takes 20 ms for
# each request, and says for how much of 64 times the time it had one. The index is warm, as after a
# dry run. 64 MiB of private memory.

many=${PUBFS_BENCH_OBJECTS:-100000}
start_bucket "bucket old"

list_old() { # generation and key of every object of the old prefix, without the delay
	local page=''
	while :; do
		curl -sf "$near/storage/v1/b/old/o?prefix=2025.01.01/${page:+&pageToken=$page}" >"$work/page"
		jq -r '.items[]? | "\(.generation) \(.name | @uri)"' "$work/page"
		page=$(jq -r '.nextPageToken // "" | @uri' "$work/page")
		[ -n "$page" ] || break
	done
}
fill() {
	control "fill old $((many / 2)) 2025.01.01/api/archives/a"
	control "fill old $((many / 2)) 2025.01.01/api/packages/p"
}
collect=("$pubfs" gc --store gs://old --endpoint "$far" --runtime-version 2026.08.18
	--accept "2026.08.18,2026.06.01")
emptied() { [ -z "$(list_old)" ] || { echo "bench: something is left" >&2; exit 1; }; }

echo '{"package":"p","version":"1.0.0","published":"2026-01-02T03:04:05Z","pubspec":{"name":"p"}}' |
	"$pubfs" load - >/dev/null
"$pubfs" sync "${site[@]}" --store gs://old --endpoint "$near" >/dev/null 2>&1 || true

echo
echo "gc of $many objects, cold, with batch delete: seconds; requests, of them pages (bound: $((many / 100)) and these)"
for i in $(seq "$runs"); do
	fill
	rm -rf "$PUBFS_HOME/cache"
	control reset
	s=$(seconds "${collect[@]}" --batch-delete)
	row "  run $i" "$s; $(($(count batch) + $(count list))), $(count list)"
	emptied
done

echo
echo "gc of $many objects, warm, one request each: floor / pubfs, seconds (bound: at least 0.90)"
for i in $(seq "$runs"); do
	fill
	list_old >"$work/list"
	f=$(seconds sh -c "'$built/tests/bench/remove_floor' '$far' old 64 <'$work/list'")
	emptied
	fill
	"${collect[@]}" --ttl 0 --dry-run >/dev/null
	s=$(seconds "${collect[@]}" --ttl 3600)
	row "  run $i" "$f / $s = $(ratio "$f" "$s")"
	emptied
done
near_collect=("${collect[@]/$far/$near}")
echo
echo "the same, at a server that takes 20 ms for each: how much of 64 times the time it had requests"
for i in $(seq "$runs"); do
	fill
	"${near_collect[@]}" --ttl 0 --dry-run >/dev/null
	control reset
	control "fault delete every=1 delay=20"
	s=$(seconds "${near_collect[@]}" --ttl 3600)
	row "  run $i" "$s; $(awk -v busy="$(count busy)" -v s="$s" 'BEGIN { printf "%.2f\n", busy / 64000 / s }')"
	control reset
	emptied
done
fill
"${collect[@]}" --ttl 0 --dry-run >/dev/null
row "  memory" "$(($(peak "${collect[@]}" --ttl 3600) / 1024)) MiB"
