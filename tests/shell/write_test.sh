#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# Tools that write, on a real mount: each does what a person expects, or fails and changes nothing.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

if ! can_mount; then
	not_ok "there is no usable /dev/fuse: none of the write tests ran"
	exit 0
fi
golden=$tests/golden
export PUBFS_HOME="$T/home"
m=$T/mnt
packages=$m/latest/api/packages
archives=$m/latest/api/archives
listing=$packages/oxygen
umask 022

"$PUBFS" publish "$golden"/archives/*.tar.gz >/dev/null || not_ok "publish"
"$PUBFS" sync --base-url https://pub.example.com --runtime-version 2026.08.18 >/dev/null ||
	not_ok "sync"
check "mount" mount_at "$m" --log-level info
generation() { getfattr --only-values -n user.pubfs.generation "$1"; }
stored() { gzip -dc "$PUBFS_HOME/bucket/latest/api/packages/oxygen"; }
# How often the bucket was changed so far: each change is one line of the log.
changes() { grep -c 'hand generation\|hand (was\|: removed by hand' "$m.log"; }
# wrote NAME: the file and the bucket have the bytes of ./wanted, by exactly one change.
wrote() {
	now=$(changes)
	if cmp wanted "$listing" >"$T/.said" 2>&1 && stored | cmp - wanted >"$T/.said" 2>&1 &&
		[ "$now" -eq $((before + 1)) ]; then
		ok "$1"
	else
		echo "($((now - before)) changes of the bucket)" >>"$T/.said"
		tail -n 5 "$m.log" >>"$T/.said"
		not_ok "$1"
	fi
	before=$now
}
cp "$listing" original
jq -c '.isDiscontinued = true' original >first
jq -c '.replacedBy = "helium" | .isDiscontinued = true' original >second
turn=first
turn() { # the other text, so that each write is one
	if [ "$turn" = first ]; then turn=second; else turn=first; fi
	cp "$turn" wanted
}
before=$(changes)

# one file, each its own way
turn; cp wanted "$listing"; wrote "cp"
turn; cp -p wanted "$listing"; wrote "cp -p"
turn; cat wanted >"$listing"; wrote "a redirection of sh"
turn; bash -c 'cat wanted >"$1"' bash "$listing"; wrote "a redirection of bash"
turn; (head -c 40 wanted; cat /dev/null; tail -c +41 wanted) >"$listing" 2>/dev/null; wrote "a subshell of several programs"
turn; tee "$listing" <wanted >/dev/null; wrote "tee"
turn; dd if=wanted of="$listing" bs=64 conv=fsync 2>/dev/null; wrote "dd conv=fsync"
turn; jq -c . wanted >"$packages/oxygen.tmp" && mv "$packages/oxygen.tmp" "$listing"
wrote "jq > tmp && mv"
turn; tmp=$(mktemp -p "$packages") && cat wanted >"$tmp" && mv "$tmp" "$listing"
wrote "mktemp and mv"
turn; rsync -a wanted "$listing" && touch -d '1 hour ago' wanted && rsync -ac wanted "$listing"
wrote "rsync -a, and -c finds it equal"
turn; rsync --inplace --ignore-times wanted "$listing"; wrote "rsync --inplace"
turn; rsync -a --ignore-times wanted "$listing"; wrote "rsync by a scratch file"
turn
if [ "$turn" = first ]; then expression='s/,"replacedBy":"helium"//'; else
	expression='s/"isDiscontinued":true/"isDiscontinued":true,"replacedBy":"helium"/'; fi
cp "$listing" edited && sed -i "$expression" edited
sed -i "$expression" "$listing"
cp edited wanted
wrote "sed -i"
vim -es -u NONE -N -c 'set backup writebackup swapfile' -c 's/"name":"oxygen"/"name": "oxygen"/' -c 'wq' \
	"$listing" >/dev/null 2>&1
sed 's/"name":"oxygen"/"name": "oxygen"/' wanted >expected && printf '\n' >>expected
tr -d '\n' <expected >a && tr -d '\n' <"$listing" >b
check "vim writes what was edited" cmp a b
cp "$listing" wanted
wrote "vim writes in place, once"
check "vim left no file but its backup" sh -c "ls -A '$packages' | grep -v '^oxygen~\$' |
	grep -c '[~.]' | grep -qx 3"
rm -f "$packages/oxygen~"
before=$(changes)
check "a backup is no object" test "$before" -eq "$(changes)"
turn; truncate -s 0 "$listing"; cp wanted "$listing"; wrote "truncate -s 0, then cp"
turn; tar cf one.tar --transform 's/wanted/oxygen/' wanted
tar xf one.tar --overwrite --no-same-owner -C "$packages"; wrote "tar x --overwrite"

# the same again is nothing
for tool in "cp wanted" "rsync -c wanted" "rsync -ac --no-times wanted"; do
	$tool "$listing"
	check "$tool of the same bytes changes nothing" test "$before" -eq "$(changes)"
done

# a folder at once
cp -r "$m/latest/api" copy && chmod -R u+w copy
for f in oxygen helium; do jq -c '.isDiscontinued = true' "copy/packages/$f" >x && cp x "copy/packages/$f"; done
before=$(changes)
check "rsync -rc of a folder" rsync -rc copy/ "$m/2026.08.18/api/"
same "sends the files that differ" 2 sh -c "grep -c 'wrote 2026.08.18.*hand' '$m.log'"
check "both are equal" diff -r copy "$m/2026.08.18/api"
rm copy/packages/oxygen_lamp.d/advisories
check "rsync --delete" rsync -rc --delete copy/ "$m/2026.08.18/api/"
check "removes what is not there" test ! -e "$m/2026.08.18/api/packages/oxygen_lamp.d/advisories"
check "and nothing else" diff -r copy "$m/2026.08.18/api"
check "tar x of a folder" sh -c "tar cf all.tar -C copy . && tar xf all.tar --overwrite --no-same-owner \
	-C '$m/2026.08.18/api' && diff -r copy '$m/2026.08.18/api'"

# what is refused, whichever way it comes
echo '{}' >broken
cp "$listing" kept
refused() { # NAME COMMAND...
	name=$1
	shift
	if "$@" >"$T/.said" 2>&1; then not_ok "$name fails"; else ok "$name fails"; fi
	check "$name: the object is as it was" cmp kept "$listing"
}
refused "cp of a broken file" cp broken "$listing"
refused "mv of a broken scratch file" sh -c "cp broken '$packages/oxygen.tmp' && mv '$packages/oxygen.tmp' '$listing'"
check "the scratch file is still there" cmp broken "$packages/oxygen.tmp"
rm "$packages/oxygen.tmp"
refused "rsync of a broken file" rsync broken "$listing"
refused "sed -i that breaks it" sed -i 's/"name"/"nom"/' "$listing"
refused "mv onto a scratch name" mv "$listing" "$packages/oxygen.bak"
refused "a write of 6 GiB" dd if=/dev/zero of="$listing" bs=1M seek=6144 count=1
refused "mv of a folder" mv "$packages/oxygen.d" "$packages/other.d"
refused "mv onto a foreign name" mv "$listing" "$packages/no.such"
refused "ln" ln "$listing" "$packages/oxygen2"
check "put refuses a scratch name" sh -c "! '$PUBFS' put kept latest/api/packages/oxygen.tmp"
check "mv of an archive to its own prefix's other folder name" sh -c \
	"! mv '$archives/helium-0.1.0.tar.gz' '$archives/oxygen-0.1.0.tar.gz' && test -e '$archives/helium-0.1.0.tar.gz'"
check "mv between prefixes" sh -c "rm '$m/2026.08.18/api/archives/helium-0.1.0.tar.gz' &&
	mv '$archives/helium-0.1.0.tar.gz' '$m/2026.08.18/api/archives/' &&
	cmp '$golden/archives/helium-0.1.0.tar.gz' '$m/2026.08.18/api/archives/helium-0.1.0.tar.gz' &&
	! test -e '$archives/helium-0.1.0.tar.gz'"

# modes and handles
cp first wanted
before=$(changes)
check "handles of all modes" "${PUBFS%/*}/tests/mount/write_modes" "$listing" wanted "$packages/gap.tmp"
wrote "a file changed in place by one handle"
check "unmount names scratch files" sh -c "echo x >'$packages/left.tmp'"
check "SIGTERM unmounts" unmount "$daemon" "$m"
check "the log has it" grep -q "left.tmp was a scratch file" "$m.log"
