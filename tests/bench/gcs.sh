# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash disable=SC2034,SC2154 # what scripts/bench sets and uses
# gcs.sh - a gs:// bucket at a distance of 20 ms: our own test server, which does not slow down as a
# bucket fills, behind tests/gcs/delay_proxy.c.
#
# Bounds: a cold find takes a request for each 1,000 objects and 2 for each prefix, and 0.5 s for
# 4,200 objects (there are more since each package has seven documents); cp of 100 new files takes 100
# requests and 1.15 x as long as 100 PUTs by a bare curl client (put_floor.c); the same files again,
# none; a first export of 10,000 documents takes no longer than rclone sync --transfers 64, and
# 64 MiB of private memory.

start_bucket

requests() { count all; }
# listing BUCKET PREFIX: name, size and MD5 of every object, asked for without the delay
listing() {
	local page='' url="$near/storage/v1/b/$1/o?prefix=$2"
	while :; do
		curl -sf "$url${page:+&pageToken=$page}" >"$work/page"
		jq -r '.items[]? | "\(.name) \(.size) \(.md5Hash)"' "$work/page"
		page=$(jq -r '.nextPageToken // "" | @uri' "$work/page")
		[ -n "$page" ] || break
	done | sed "s|^$2||" | sort
}
# Packages NAME000001 and so on, with one version each.
load_packages() { # NAME COUNT
	awk -v name="$1" -v n="$2" 'BEGIN { for (i = 1; i <= n; i++) {
		p = sprintf("%s%06d", name, i)
		printf "{\"package\":\"%s\",\"version\":\"1.0.0\",\"published\":\"2026-01-02T03:04:05Z\",", p
		printf "\"pubspec\":{\"name\":\"%s\",\"version\":\"1.0.0\",\"description\":\"Package %d of many.\"}}\n", p, i
	} }' | "$pubfs" load -
}
forget() { # what the last run left, but for the database
	rm -rf "$PUBFS_HOME/cache"
	sqlite3 "$PUBFS_HOME/pub.db" "DELETE FROM export_state"
}

echo
echo "cold find over 14,203 objects: seconds; requests, the mount's included (bound: 17)"
load_packages found 2000 >/dev/null
control "bucket found
fill found 200 latest/api/archives/found"
"$pubfs" sync "${site[@]}" --prefixes latest --store gs://found --endpoint "$near" >/dev/null
for i in $(seq "$runs"); do
	rm -rf "$PUBFS_HOME/cache"
	control reset
	"$pubfs" mount "$work/mnt" --store gs://found --endpoint "$far" --log-file "$work/log"
	row "  run $i" "$(seconds sh -c "find '$work/mnt' -type f >'$work/names'"), $(requests)"
	[ "$(wc -l <"$work/names")" -eq $((2000 * 7 + 200 + 3)) ] || { echo "bench: find misses some" >&2; exit 1; }
	umount "$work/mnt"
done

echo
echo "cp of 100 new files: pubfs / the same PUTs by curl, seconds; requests, and again (bound: 100, 0)"
mkdir "$work/new"
"$pubfs" cat --store gs://found --endpoint "$near" latest/api/packages/found000001 >"$work/one"
for i in $(seq 100); do sed "s/found000001/neon$i/g" "$work/one" >"$work/new/neon$i"; done
for i in $(seq "$runs"); do
	for bucket in copied floor; do # with an object, so that the prefix is there
		control "bucket $bucket$i
fill $bucket$i 1 latest/api/packages/helium"
	done
	f=$(seconds "$built/tests/bench/put_floor" "$far" "floor$i" latest/api/packages/ "$work"/new/*)
	"$pubfs" mount "$work/mnt" --store "gs://copied$i" --endpoint "$far" --log-file "$work/log"
	find "$work/mnt" >/dev/null # from now on it is known what is there
	control reset
	s=$(seconds cp "$work"/new/* "$work/mnt/latest/api/packages/")
	n=$(requests)
	control reset
	cp "$work"/new/* "$work/mnt/latest/api/packages/"
	n="$n, $(requests)"
	umount "$work/mnt"
	listing "copied$i" "" >"$work/a"
	listing "floor$i" "" >"$work/b"
	must_equal "$work/a" "$work/b"
	pair copy "$s" "$f"
	row "    requests" "$n"
done
pair_median copy 1.15

echo
echo "first export of 10,002 documents: pubfs sync / rclone sync --transfers 64, seconds"
rm -rf "$PUBFS_HOME"
load_packages many 714 >/dev/null
"$pubfs" sync "${site[@]}" >/dev/null # as files, for rclone
mkdir "$work/files"
cp -r "$PUBFS_HOME/bucket/latest" "$PUBFS_HOME/bucket/2026.08.18" "$work/files"
export RCLONE_CONFIG=/dev/null
export_many() { # WORD BUCKET
	"$1" "$pubfs" sync "${site[@]}" --store "gs://$2" --endpoint "$far"
}
clone_many() { # WORD BUCKET
	"$1" "$rclone" sync "$work/files" ":gcs:$2" --transfers 64 --checkers 64 \
		--gcs-endpoint "$far/storage/v1/" --gcs-anonymous --gcs-no-check-bucket \
		--gcs-bucket-policy-only --retries 1 --low-level-retries 1
}
for i in $(seq "$runs"); do
	control "bucket exported$i
bucket cloned$i"
	forget
	control reset
	s=$(export_many seconds "exported$i")
	n="$(requests), $(count connections) connections"
	control reset
	c=$(clone_many seconds "cloned$i")
	n="$n / $(requests), $(count connections) connections"
	listing "exported$i" "" >"$work/a"
	# below a package, the files of a dir: store are in its folder
	listing "cloned$i" "" | sed 's|\.d/|/|' | sort >"$work/b"
	must_equal "$work/a" "$work/b"
	[ "$(wc -l <"$work/a")" -eq $((714 * 14 + 6)) ] || { echo "bench: it is not 10,002 documents" >&2; exit 1; }
	pair first "$s" "$c"
	row "    requests" "$n"
done
pair_median first 1
forget
control "bucket weighed
bucket cloned"
row "pubfs: highest private memory, KiB" "$(export_many peak weighed)"
row "rclone: highest private memory, KiB" "$(clone_many peak cloned)"
