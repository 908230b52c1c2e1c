# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # what scripts/bench sets and uses
# mount.sh - 20,000 packages (180,000 names, made by bucket.c) on a mount, warm, against a file system
# that computes them (floor.c). Bounds: find and ls -lR 1.3 x, with extended attributes and without;
# grep -r 1.5 x; private memory 64 MiB. The first ls of a remount with 1,000,000 objects: 0.2 s. And
# cold documents of a gs:// bucket, read by xargs -P 64: one request each, at least 32 side by side.

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
		"$pubfs" mount "$m" -f --store "dir:$work/bucket" --ttl 3600 &
		;;
	noxattr)
		"$built/tests/bench/floor" "$f" "$packages" &
		"$pubfs" mount "$m" -f --store "dir:$work/bucket" --ttl 3600 -o noxattr &
		;;
	esac
	pubfs_id=$!
	watch_memory "$pubfs_id" &
	until mountpoint -q "$m" && mountpoint -q "$f"; do sleep 0.05; done
}
stop() {
	umount "$m" "$f"
	wait || true
	row "highest private memory, KiB" "$(cat "$work/highest")"
}
# keeps the highest RssAnon of a process in a file, until it ends
watch_memory() { # ID
	local now highest=0
	while now=$(private_memory "$1") && [ -n "$now" ]; do
		if [ "$now" -gt "$highest" ]; then
			highest=$now
			echo "$highest" >"$work/highest"
		fi
		sleep 0.1
	done
}
# of a process so far, in its own code and the kernel's
processor_time() { # ID
	awk -v hz="$(getconf CLK_TCK)" '{ sub(/.*\) /, ""); printf "%.2f\n", ($12 + $13) / hz }' "/proc/$1/stat"
}
in_folder() { (cd "$1" && shift && "$@"); }
# against_floor NAME BOUND COMMAND...: in both folders, as often as there are runs; the results are compared
# first, which warms what is to be warm
against_floor() {
	local name=$1 bound=$2 ours theirs
	shift 2
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
	pair_median "${name// /-}" "$bound"
}

serve xattr
against_floor "find" 1.3 find .
against_floor "ls -lR, with extended attributes" 1.3 ls -lR --time-style=+ .
against_floor "grep -r over $packages listings" 1.5 grep -r --exclude-dir='*.d' -c '7\.0\.0' latest/api/packages
stop
serve noxattr
against_floor "ls -lR, -o noxattr" 1.3 ls -lR --time-style=+ .
stop

echo
echo "first ls after a remount, $objects objects"
"$built/tests/bench/bucket" "$work/many" 1 # so that there is a latest/
"$built/tests/bench/bucket" --index "$work/many" "$PUBFS_HOME/cache" "$objects" latest
for i in $(seq "$runs"); do
	"$pubfs" mount "$m" --store "dir:$work/many" --ttl 36000 --log-file "$work/log"
	row "  run $i, seconds (bound: 0.2)" "$(seconds ls "$m/latest/api")"
	id=$(jq .pid "$m/.pubfs/status")
	row "  processor time of the mount, seconds" "$(processor_time "$id")"
	[ "$i" -gt 1 ] || [ "$(find "$m/latest/api/archives" -type f | wc -l)" -eq "$objects" ] ||
		{ echo "bench: find misses some" >&2; exit 1; }
	row "  private memory, KiB" "$(private_memory "$id")"
	umount "$m"
done

echo
echo "cold documents of a gs:// bucket, xargs -P 64 -n 1 md5sum: a request takes 100 ms"
start_bucket "bucket cold" # it delays by itself, and enough for two processors to start 64 readers
seq 1000 | awk '{ printf "{\"package\":\"cold%d\",\"version\":\"1.0.0\",\"published\":\"2026-01-02T03:04:05Z\",", $1
	printf "\"pubspec\":{\"name\":\"cold%d\",\"version\":\"1.0.0\"}}\n", $1 }' | "$pubfs" load - >/dev/null
"$pubfs" sync "${site[@]}" --prefixes latest --store gs://cold --endpoint "$near" --cache "$work/filling" >/dev/null
read_all() { find "$m" -type f -print0 | xargs -0 -P 64 -n 1 md5sum | sort; }
for i in $(seq "$runs"); do
	"$pubfs" mount "$m" --store gs://cold --endpoint "$near" --cache "$work/cold$i" --log-file "$work/log"
	id=$(jq .pid "$m/.pubfs/status")
	watch_memory "$id" &
	find "$m" -type f >"$work/names"
	control "reset
fault read times=1000000 delay=100"
	row "  run $i, seconds" "$(seconds sh -c "$(declare -f read_all); m=$m; read_all >'$work/a'")"
	row "    documents, requests for them" "$(wc -l <"$work/names"), $(count read)"
	row "    most requests side by side (bound: at least 32)" "$(count parallel)"
	control reset
	read_all >"$work/b"
	must_equal "$work/a" "$work/b"
	row "    requests to read all of it again" "$(count all)"
	row "    highest private memory, KiB" "$(cat "$work/highest")"
	umount "$m"
done
