# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # what scripts/bench sets and uses
# mount.sh - 20,000 packages (80,000 names, made by bucket.c) on a mount, warm, against a file system
# that computes them (floor.c). Bounds: find and ls -lR 1.3 x, with extended attributes and without;
# grep -r 1.5 x; private memory 64 MiB. And the first ls of a remount with 1,000,000 objects: 0.2 s.

packages=20000
objects=1000000
m=$work/mnt
f=$work/floor
mkdir "$f" "$PUBFS_HOME"
"$built/tests/bench/bucket" "$work/bucket" "$packages"

serve() { # noxattr|xattr: pubfs on $m, its floor on $f
	case $1 in
	xattr)
		"$built/tests/bench/floor" "$f" "$packages" xattr &
		floor_id=$!
		"$pubfs" mount "$m" -f --store "dir:$work/bucket" --ttl 3600 &
		;;
	noxattr)
		"$built/tests/bench/floor" "$f" "$packages" &
		floor_id=$!
		"$pubfs" mount "$m" -f --store "dir:$work/bucket" --ttl 3600 -o noxattr &
		;;
	esac
	pubfs_id=$!
	processes="$floor_id $pubfs_id"
	until mountpoint -q "$m" && mountpoint -q "$f"; do sleep 0.05; done
}
stop() {
	umount "$m" "$f"
	wait "$pubfs_id" "$floor_id" || true
	processes=
}
in_folder() { (cd "$1" && shift && "$@"); }
# against_floor NAME COMMAND...: in both folders, as often as there are runs; the results are compared
# first, which warms what is to be warm
against_floor() {
	local name=$1 ours theirs
	shift
	echo
	echo "$name: pubfs / floor, seconds"
	in_folder "$m" "$@" | sort >"$work/a"
	in_folder "$f" "$@" | sort >"$work/b"
	must_equal "$work/a" "$work/b"
	for _ in $(seq "$runs"); do
		theirs=$(seconds in_folder "$f" "$@")
		ours=$(seconds in_folder "$m" "$@")
		pair "${name// /-}" "$ours" "$theirs"
	done
	pair_median "${name// /-}"
	row "  private memory, KiB" "$(private_memory "$pubfs_id")"
}

serve xattr
against_floor "find" find .
against_floor "ls -lR, with extended attributes" ls -lR --time-style=+ .
against_floor "grep -r over $packages listings" grep -r --exclude-dir='*.d' -c '7\.0\.0' latest/api/packages
stop
serve noxattr
against_floor "ls -lR, -o noxattr" ls -lR --time-style=+ .
stop

echo
echo "first ls after a remount, $objects objects"
"$built/tests/bench/bucket" "$work/many" 0
"$built/tests/bench/bucket" --index "$work/many" "$PUBFS_HOME/cache" "$objects" latest
for i in $(seq "$runs"); do
	"$pubfs" mount "$m" --store "dir:$work/many" --ttl 36000 --log-file "$work/log"
	row "  run $i, seconds" "$(seconds ls "$m/latest/api")"
	id=$(jq .pid "$m/.pubfs/status")
	[ "$i" -gt 1 ] || row "  names in the folder" "$(find "$m/latest/api/archives" -type f | wc -l)"
	row "  private memory, KiB" "$(private_memory "$id")"
	umount "$m"
done
