#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Real package histories: they load and export whole, and cost nothing the second time.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if [ -z "${PUBFS_CORPUS:-}" ]; then
	skip "the corpus loads and exports whole" "corpus: PUBFS_CORPUS is not set"
	exit 0
fi
export PUBFS_HOME="$T/home"
limit_kib=65536

# peak NAME COMMAND...: runs it; its highest private memory stays below the limit.
peak() {
	peak_name=$1
	shift
	"$@" >"$T/peak.out" 2>"$T/peak.err" &
	peak_id=$!
	highest=0
	while [ -r "/proc/$peak_id/status" ]; do
		now=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$peak_id/status" 2>/dev/null)
		[ "${now:-0}" -gt "$highest" ] && highest=$now
		[ -n "$now" ] || break # it has ended and waits for its parent
	done
	if wait "$peak_id"; then
		ok "$peak_name"
	else
		cat "$T/peak.out" "$T/peak.err" >"$T/.said"
		not_ok "$peak_name"
	fi
	if memory_counts; then
		check "$peak_name: private memory below 64 MiB (it was $highest KiB)" \
			test "$highest" -gt 0 -a "$highest" -lt "$limit_kib"
	fi
}
sync_all() { "$PUBFS" sync --base-url https://pub.example.com --runtime-version 2026.08.18 "$@"; }
objects() { find "$1" -path '*/.pubfs-store' -prune -o -type f -print | wc -l; }

peak "load" "$PUBFS" load "$PUBFS_CORPUS/packages.jsonl.gz"
same "all rows are there" "310 12786" sqlite3 -separator ' ' "$PUBFS_HOME/pub.db" \
	"SELECT count(DISTINCT package), count(*) FROM package_version"
check "load once more changes nothing" "$PUBFS" load "$PUBFS_CORPUS/packages.jsonl.gz"
mkdir -p "$PUBFS_HOME/archives/packages"
cp "$PUBFS_CORPUS"/archives/*.tar.gz "$PUBFS_HOME/archives/packages/"

peak "first sync" sync_all
same "every document and archive is in the bucket" $((2 * (7 * 310 + 60 + 3))) objects "$PUBFS_HOME/bucket"
check "every listing has every version" sh -c "
	gzip -dc '$PUBFS_CORPUS/packages.jsonl.gz' | jq -r '\"\(.package) \(.version)\"' | LC_ALL=C sort >wanted
	for f in '$PUBFS_HOME'/bucket/latest/api/packages/*; do
		[ -f \"\$f\" ] && gzip -dc \"\$f\"
	done | jq -r '.name as \$n | .versions[] | \"\(\$n) \(.version)\"' | LC_ALL=C sort >got
	cmp wanted got"
sync_all --log-level debug >second.out 2>second.log || cat second.log
check "a second sync uploads nothing" grep -q "0 written, 0 copied, 0 touched, 0 removed" second.out
check "and sends nothing and reads no body" sh -c "! grep -E 'dir (read|edit)' second.log"
check "a sync to a second, empty store exports everything" sync_all --store "dir:$T/second"
same "all of it" "$(objects "$PUBFS_HOME/bucket")" objects "$T/second"
find "$PUBFS_HOME/bucket" -mindepth 1 -maxdepth 1 -not -name .pubfs-store -exec rm -r {} +
check "a sync --ttl 0 after the bucket was emptied" sync_all --ttl 0
same "exports everything" $((2 * (7 * 310 + 60 + 3))) objects "$PUBFS_HOME/bucket"

if can_mount; then
	check "mount" mount_at "$T/mnt"
	check "both prefixes are equal" diff -r "$T/mnt/latest" "$T/mnt/2026.08.18"
	same "grep finds every listing" 310 sh -c \
		"grep -l '\"versions\":' -r '$T/mnt/latest/api/packages' | grep -vc advisories"
	if memory_counts; then
		used=$(sed -n 's/^RssAnon:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$daemon/status")
		check "mount: private memory below 64 MiB (it was $used KiB)" test "$used" -lt "$limit_kib"
	fi
	check "unmount" unmount "$daemon" "$T/mnt"
else
	not_ok "mount: /dev/fuse is not here"
fi

# one package with 1,500 versions, and one with a pubspec of 2 MiB
seq 1500 | jq -c '{package: "many", version: "1.0.\(.)", published: "2026-01-01T00:00:00Z",
	pubspec: {name: "many", version: "1.0.\(.)"}}' >many.jsonl
jq -nc '{package: "huge", version: "1.0.0", published: "2026-01-01T00:00:00Z",
	pubspec: {name: "huge", version: "1.0.0", description: ("x" * 2097152)}}' >huge.jsonl
check "load 1,500 versions" "$PUBFS" load many.jsonl
peak "load a pubspec of 2 MiB" "$PUBFS" load huge.jsonl
peak "sync both" sync_all
same "1,500 versions" 1500 sh -c "'$PUBFS' cat latest/api/packages/many | jq '.versions | length'"
same "2 MiB" 2097152 sh -c \
	"'$PUBFS' cat latest/api/packages/huge | jq '.versions[0].pubspec.description | length'"
