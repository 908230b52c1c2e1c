# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # what scripts/bench sets and uses
# dir.sh - exports to a folder of this host: the first one against its floor (export_floor.c; bound:
# 1.3 x), one with nothing to do, and the highest private memory of load, sync and mount.

: "${PUBFS_CORPUS:?set it to a folder with packages.jsonl.gz and archives/}"
floor=$built/tests/bench/export_floor

echo
row "load: highest private memory, KiB" "$(peak "$pubfs" load "$PUBFS_CORPUS/packages.jsonl.gz")"
"$pubfs" publish "$PUBFS_CORPUS"/archives/*.tar.gz >/dev/null
row "first sync: highest private memory, KiB" "$(peak "$pubfs" sync "${site[@]}")"
"$pubfs" mount "$work/mnt" --log-file "$work/log"
cp -r "$work/mnt/latest" "$work/decoded"
id=$(jq .pid "$work/mnt/.pubfs/status")
find "$work/mnt" -type f -exec cat {} + >/dev/null
row "mount, all read: private memory, KiB" "$(private_memory "$id")"
umount "$work/mnt"

echo
echo "first export: pubfs sync / floor, whole processes, seconds"
# Each run has folders of its own, and none is removed before the end: for some seconds ext4 passes
# over the inodes of what was removed, one by one, which would be most of either time.
for i in $(seq "$runs"); do
	mkdir "$work/floor$i" "$work/bucket$i" "$work/cache$i"
	sync -f "$work"
	f=$(seconds "$floor" "$work/decoded" "$work/floor$i" latest 2026.08.18 "$(nproc)")
	s=$(seconds "$pubfs" sync "${site[@]}" --store "dir:$work/bucket$i" --cache "$work/cache$i")
	for p in latest 2026.08.18; do
		(cd "$work/bucket$i/$p" && find . -type f -exec sha256sum {} + | sort) >"$work/a"
		(cd "$work/floor$i/$p" && find . -type f -exec sha256sum {} + | sort) >"$work/b"
		must_equal "$work/a" "$work/b"
	done
	pair export "$s" "$f"
done
pair_median export 1.3

echo
echo "unchanged export, seconds"
for i in $(seq "$runs"); do
	s=$(seconds "$pubfs" sync "${site[@]}")
	echo "$s" >>"$work/unchanged"
	row "  run $i" "$s"
done
row "  median" "$(median <"$work/unchanged")"
