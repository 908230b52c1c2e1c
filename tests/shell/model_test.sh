#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Random operations by system calls on two mounts of one bucket, compared with a model; and writers
# whose daemon is killed.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if ! can_mount; then
	not_ok "there is no usable /dev/fuse: none of these tests ran"
	exit 0
fi
case ${PUBFS_CONFIGURATION:-plain} in
plain) operations=200000 rounds=8 ;;
*) operations=2000 rounds=2 ;;
esac
export PUBFS_HOME="$T/home"
model=${PUBFS%/*}/tests/mount/model_stress

# an empty bucket: one that had a package
"$PUBFS" publish "$tests/golden/archives/helium-0.1.0.tar.gz" >/dev/null || not_ok "publish"
"$PUBFS" sync --store "dir:$T/bucket" --prefixes latest --base-url https://pub.example.com \
	--runtime-version 2026.08.18 >/dev/null || not_ok "sync"
mount_bucket() { mount_at "$1" --store "dir:$T/bucket"; }
check "mount" mount_bucket "$T/a"
first=$daemon
check "everything can be removed through the mount" sh -c \
	"find '$T/a/latest' -type f -delete && ! find '$T/bucket/latest' -type f | grep ."
check "unmount" unmount "$first" "$T/a"

check "mount the empty bucket" mount_bucket "$T/a"
first=$daemon
check "and once more" mount_bucket "$T/b"
second=$daemon
seed=$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')
check "random operations are answered as the model says" \
	"$model" --seed "$seed" --operations "$operations" --mounts "$T/a" "$T/b"
cat "$T/.said" # with the seed
check "unmount the first" unmount "$first" "$T/a"
check "unmount the second" unmount "$second" "$T/b"

# kill -9 of the daemon: each writer counts what cp has said to be written
document() { # PACKAGE NUMBER VERSION
	printf '{"name":"%s","latest":%s,"versions":[%s],"x":%d}' "$1" "$3" "$3" "$2"
}
write_until_it_fails() { # PACKAGE
	version="{\"version\":\"1.0.0\",\"pubspec\":{\"name\":\"$1\",\"version\":\"1.0.0\"},"
	version="$version\"archive_url\":\"https://pub.example.com/$1\",\"published\":\"2024-01-02T03:04:05.678Z\"}"
	n=$(cat "$T/$1.done")
	while document "$1" $((n + 1)) "$version" >"$T/$1.next" &&
		cp "$T/$1.next" "$T/a/latest/api/packages/$1" 2>/dev/null; do
		n=$((n + 1))
		echo "$n" >"$T/$1.done"
	done
}
# the last one that was reported, or the one that was on its way; whole in any case
is_kept() { # PACKAGE
	kept=$(gzip -dc "$T/bucket/latest/api/packages/$1" 2>/dev/null | jq .x) || kept=
	reported=$(cat "$T/$1.done")
	echo "$1: reported $reported, in the bucket ${kept:-nothing}"
	[ "${kept:-0}" = "$reported" ] || [ "$kept" = $((reported + 1)) ] || return 1
	echo "${kept:-0}" >"$T/$1.done"
}
for p in krypton xenon radon; do
	echo 0 >"$T/$p.done"
done
for round in $(seq "$rounds"); do
	check "round $round: mount" mount_bucket "$T/a"
	writers=
	for p in krypton xenon radon; do
		write_until_it_fails "$p" &
		writers="$writers $!"
	done
	sleep "0.$(shuf -i 100-600 -n 1)"
	kill -KILL "$daemon"
	wait "$daemon" 2>/dev/null
	# shellcheck disable=SC2086 # words
	wait $writers
	for p in krypton xenon radon; do
		check "round $round: what close reported is in the bucket: $p" is_kept "$p"
	done
done
check "something was written before it was killed" test "$(cat "$T/krypton.done")" -gt 0
check "nothing half-written is left" find "$T/bucket/latest" -type f -exec gzip -t {} +
check "after a kill the mount point can be used again" mount_bucket "$T/a"
check "and what was written is shown" sh -c "jq -e .x '$T/a/latest/api/packages/xenon'"
check "the last unmount" unmount "$daemon" "$T/a"
