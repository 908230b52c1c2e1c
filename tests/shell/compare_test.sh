#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Tools that compare folders, on real mounts: they agree with each other, and a mount with itself
# after a remount, at another place, and with an index of its own, as on another host.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if ! can_mount; then
	not_ok "there is no usable /dev/fuse: none of the comparing tests ran"
	exit 0
fi
export PUBFS_HOME="$T/home"
m=$T/mnt
other=$T/other
own=2026.08.18
listing=latest/api/packages/oxygen

"$PUBFS" publish "$tests"/golden/archives/*.tar.gz >/dev/null || not_ok "publish"
"$PUBFS" sync --base-url https://pub.example.com --runtime-version $own >/dev/null || not_ok "sync"
check "mount" mount_at "$m"
first=$daemon

# a copy, and what is copied again
files_copied() { grep -c '^>f' copied; }
check "rsync -ai copies" sh -c "rsync -ai '$m/latest/' copy/ >copied"
same "each object: 7 documents of 3 packages, 4 archives, 3 documents of all" 28 files_copied
check "the copy is equal" diff -r "$m/latest" copy
same "the second rsync -ai has nothing to do" "" rsync -ai "$m/latest/" copy/
same "nor has one with checksums" "" rsync -aic "$m/latest/" copy/
# in a later second than what is there: rsync compares whole ones
was_before_now() { touch now && [ "$(stat -c %Y now)" -gt "$(stat -c %Y "$m/$listing")" ]; }
check "a second is over" wait_until was_before_now
size=$(stat -c %s "$m/$listing")
sed 's/Breathe/breathe/' "$m/$listing" >edited
check "a change of the same length" sh -c "! cmp -s edited '$m/$listing' && cp edited '$m/$listing'"
same "it has the same length" "$size" stat -c %s "$m/$listing"
same "is transferred, and nothing else" ">f..t...... api/packages/oxygen" \
	rsync -ai "$m/latest/" copy/
check "the copy is equal again" diff -r "$m/latest" copy

# two prefixes
hashes() { (cd "$m/$1" && find . -type f -exec sha256sum {} + | sort -k 2); }
differ() { # EXPECTED: the one name that differs, or none; by each tool
	same "rsync -rcn: ${1:-nothing}" "$1" sh -c \
		"rsync -rcn --out-format=%n '$m/latest/' '$m/$own/' | grep -v '/\$'; true"
	same "diff -rq: ${1:-nothing}" "$1" sh -c \
		"diff -rq '$m/latest' '$m/$own' | sed 's:^Files .*/latest/\(.*\) and .*:\1:'"
	same "sha256sum -c: ${1:-nothing}" "$1" sh -c \
		"cd '$m/$own' && sha256sum -c --quiet '$T/latest.sums' 2>/dev/null | sed 's:^./\(.*\)\: FAILED:\1:'"
	same "the attributes: ${1:-nothing}" "$1" sh -c \
		"for p in latest $own; do (cd '$m'/\$p && getfattr -R -n user.pubfs.sha256 . 2>/dev/null |
		paste - - - | sort) >\$p.attributes; done
		comm -3 latest.attributes $own.attributes | sed 's/^.*# file: \([^\t]*\).*/\1/' | sort -u"
}
hashes latest >latest.sums
differ api/packages/oxygen
check "cp makes them equal" cp "$m/$listing" "$m/$own/${listing#latest/}"
differ ""

# the same names, numbers, times and sizes, wherever and whenever it is mounted
names() { (cd "$1" && find . -printf '%P %y %i %T@ %C@ %s %m\n' | sort); }
names "$m" >before
same "no file looks as if it had holes" "" \
	sh -c "find '$m' -type f -printf '%b %s %P\n' | awk '\$1 * 512 < \$2'"
check "each name has a number of its own" sh -c \
	"test -z \"\$(cut -d' ' -f3 before | sort | uniq -d)\""
check "another mount, with an index of its own" mount_at "$other" --cache "$T/other-cache"
names "$other" >after
check "it shows the same numbers and times" cmp before after
same "rsync -ai from there has nothing to do" "" rsync -ai "$other/latest/" copy/
check "unmount" unmount "$daemon" "$other"
check "unmount" unmount "$first" "$m"
check "mount again" mount_at "$m"
names "$m" >after
check "after a remount they are the same" cmp before after
same "rsync -ai has nothing to do then either" "" rsync -ai "$m/latest/" copy/
check "tar finds nothing changed" sh -c "tar -cf all.tar -C '$m' . && tar -df all.tar -C '$m'"
same "du counts each object once" "$(find "$m" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }')" \
	sh -c "du -s --apparent-size -B1 '$m' | cut -f1"
check "unmount" unmount "$daemon" "$m"
