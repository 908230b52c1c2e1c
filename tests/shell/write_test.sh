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
# wrote NAME [CHANGES]: the file and the bucket have the bytes of ./wanted, by exactly one change, or
# as many as are given.
wrote() {
	now=$(changes)
	if cmp wanted "$listing" >"$T/.said" 2>&1 && stored | cmp - wanted >"$T/.said" 2>&1 &&
		[ "$now" -eq $((before + ${2:-1})) ]; then
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
for shell in bash dash; do
	turn; $shell -c 'cat wanted >"$1"' $shell "$listing"; wrote "a redirection of $shell"
	turn; $shell -c 'read -r line <wanted; printf "%s\n" "$line" >"$1"' $shell "$listing"
	wrote "a built-in of $shell"
	rm "$listing"
	turn; $shell -c 'cat wanted >"$1"' $shell "$listing"; wrote "a redirection of $shell onto a new name" 2
done
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
turn; rsync -rX --inplace --ignore-times wanted "$listing" 2>/dev/null
check "rsync -X, which would remove attributes, ends with 23" test $? -eq 23
wrote "rsync -X --inplace"
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
cat wanted original >longer; cat longer >"$packages/oxygen.new"
truncate -s "$(stat -c %s wanted)" "$packages/oxygen.new"
check "truncate of a scratch file" cmp wanted "$packages/oxygen.new"
cp original "$listing"; before=$(changes)
mv "$packages/oxygen.new" "$listing"; wrote "and mv"
echo >>wanted; echo >>"$listing"; wrote "a redirection that appends"
cp wanted edited && truncate -s -1 wanted && truncate -s -1 "$listing"; wrote "truncate to one byte less"
turn; diff -u "$listing" wanted >difference
patch -s -o - "$listing" difference >"$packages/oxygen.new" && mv "$packages/oxygen.new" "$listing"
wrote "patch -o - > tmp && mv"
turn; cp -a wanted "$listing"; wrote "cp -a"
sed -i 's/Breathe in/BREATHE IN/' wanted
dd if=wanted of="$listing" bs=64 conv=notrunc,fdatasync 2>/dev/null; wrote "dd conv=notrunc,fdatasync"

# what removes a file before it writes it anew: two changes, and readers find none in between
turn; check "install -m 644" install -m 644 wanted "$listing"; wrote "install removes first" 2
turn; check "cp --remove-destination" cp --remove-destination wanted "$listing"; wrote "cp --remove-destination removes first" 2
turn; tar cf one.tar --transform 's/wanted/oxygen/' wanted
check "tar x" tar xf one.tar --no-same-owner -C "$packages"; wrote "tar x without --overwrite removes first" 2
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
refused "cat of a broken file" sh -c 'cat broken >"$1"' sh "$listing"
refused "jq of a broken file" sh -c 'jq . broken >"$1"' sh "$listing"
refused "tee of a broken file" sh -c 'tee "$1" <broken' sh "$listing"
refused "dd of a broken file" dd if=broken of="$listing"
for tool in "install -m 644" "cp --remove-destination"; do
	check "$tool of a broken file fails" sh -c '! $1 broken "$2"' sh "$tool" "$listing"
	check "$tool of a broken file has removed the object" test ! -e "$listing"
	cp kept "$listing"
done
tar cf named.tar --xattrs --xattrs-include='user.*' -C "$packages" oxygen
check "tar x --xattrs fails" sh -c '! tar xf named.tar --xattrs --xattrs-include="user.*" --no-same-owner -C "$1"' sh "$packages"
check "tar x --xattrs has removed the object" test ! -e "$listing"
cp kept "$listing"
refused "truncate to half" truncate -s 100 "$listing"
for shell in bash dash; do
	check "echo in $shell does not tell of a refusal" $shell -c 'echo broken >"$1"' $shell "$listing"
	check "echo in $shell: the object is as it was" cmp kept "$listing"
done
refused "mv of a broken scratch file" sh -c "cp broken '$packages/oxygen.tmp' && mv '$packages/oxygen.tmp' '$listing'"
check "the scratch file is still there" cmp broken "$packages/oxygen.tmp"
rm "$packages/oxygen.tmp"
refused "rsync of a broken file" rsync broken "$listing"
refused "sed -i that breaks it" sed -i 's/"name"/"nom"/' "$listing"
refused "mv onto a scratch name" mv "$listing" "$packages/oxygen.bak"
refused "a write at 6 GiB" dd if=/dev/zero of="$listing" bs=1M seek=6144 count=1
same "a write of 6 GiB ends at 256 MiB" "256 File too large" perl -e '
	open(my $f, ">", $ARGV[0]) or die "open: $!";
	my $n = 0;
	$n++ while $n < 6144 and syswrite($f, "x" x 1048576);
	print "$n $!"' "$listing"
check "the object is as it was" cmp kept "$listing"
refused "mv of a folder" mv "$packages/oxygen.d" "$packages/other.d"
refused "mv onto a foreign name" mv "$listing" "$packages/no.such"
refused "patch in place, which makes a foreign name" patch -s "$listing" difference
refused "perl -i, which makes another package's name" perl -i -pe 's/true/false/' "$listing"
refused "fallocate" fallocate -l 4096 "$listing"
refused "chmod" chmod 600 "$listing"
refused "ln" ln "$listing" "$packages/oxygen2"
check "put refuses a scratch name" sh -c "! '$PUBFS' put kept latest/api/packages/oxygen.tmp"
check "mv of an archive to its own prefix's other folder name" sh -c \
	"! mv '$archives/helium-0.1.0.tar.gz' '$archives/oxygen-0.1.0.tar.gz' && test -e '$archives/helium-0.1.0.tar.gz'"
check "mv between prefixes" sh -c "rm '$m/2026.08.18/api/archives/helium-0.1.0.tar.gz' &&
	mv '$archives/helium-0.1.0.tar.gz' '$m/2026.08.18/api/archives/' &&
	cmp '$golden/archives/helium-0.1.0.tar.gz' '$m/2026.08.18/api/archives/helium-0.1.0.tar.gz' &&
	! test -e '$archives/helium-0.1.0.tar.gz'"

# what belongs to another arrives, and that its owner was not kept is told
if chown 1 broken 2>/dev/null; then
	turn; chown 1 wanted; before=$(changes)
	rsync -a --ignore-times wanted "$listing" >"$T/.said" 2>&1
	check "rsync -a of another's file ends with 23" test $? -eq 23
	wrote "rsync -a of another's file"
	check "rsync -rt asks for no owner" rsync -rt --ignore-times wanted "$listing"
	chown 0 wanted
else
	skip "rsync -a of another's file" "only root can make one"
fi

# of a folder, what is refused stops nothing else
rm -rf some && mkdir some && cp broken some/helium && cp first some/oxygen && cp "$packages/oxygen_lamp" some/oxygen_lamp
cp second "$listing"; cp "$packages/helium" helium.kept
before=$(changes)
rsync -rc some/ "$packages/" >"$T/.said" 2>&1
check "rsync of a folder with a refused file ends with 23" test $? -eq 23
cp first wanted
wrote "the file beside the refused one"
check "the refused one is as it was" cmp helium.kept "$packages/helium"
cp second some/oxygen
rsync -rc --delay-updates some/ "$packages/" >/dev/null 2>said
check "rsync --delay-updates says what it has discarded" grep -q 'oxygen -- discarding' said
check "rsync --delay-updates writes nothing" cmp first "$listing"
check "rsync has left nothing" sh -c "! ls -A '$packages' | grep -q '^[.]'"

# who was killed has written nothing, and nothing was refused
cp "$listing" kept
refusals=$(grep -c "refused latest" "$m.log")
sh -c 'exec >"$1"; printf half; kill -KILL $$' sh "$listing" 2>/dev/null
check "the end of a killed writer is said" wait_until grep -q "packages/oxygen: what was written was not published" "$m.log"
check "the object of a killed writer is as it was" cmp kept "$listing"
same "a killed writer is not refused" "$refusals" grep -c "refused latest" "$m.log"

# modes and handles
cp second "$listing"
cp first wanted
before=$(changes)
check "handles of all modes" "${PUBFS%/*}/tests/mount/write_modes" "$listing" wanted "$packages/gap.tmp"
wrote "a file changed in place, by handles that were copied, and by a scratch file"
check "unmount names scratch files" sh -c "echo x >'$packages/left.tmp'"
check "SIGTERM unmounts" unmount "$daemon" "$m"
check "the log has it" grep -q "left.tmp was a scratch file" "$m.log"

# a disk of temporary files that is full
mkdir small
if mount -t tmpfs -o size=4m tmpfs small 2>/dev/null; then
	mounted="$T/small $mounted"
	check "mount with a small disk" mount_at "$m" --cache "$T/small"
	cp "$listing" kept
	refused "a write onto a full disk" sh -c 'dd if=/dev/zero of="$1" bs=1M count=8 2>full' sh "$listing"
	check "that was for want of room" grep -q "No space left" full
	refused "cp onto a full disk" sh -c 'head -c 8M /dev/zero >"$1"' sh "$packages/oxygen.tmp"
	rm "$packages/oxygen.tmp"
	turn; check "once there is room, writes go on" cp wanted "$listing"
	check "as they should" cmp wanted "$listing"
	check "SIGTERM unmounts that, too" unmount "$daemon" "$m"
else
	skip "a full disk" "only root can mount a small one"
fi
