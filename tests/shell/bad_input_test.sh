#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# What is wrong outside gives one clear sentence and the documented status, and changes nothing.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

golden=$tests/golden
export PUBFS_HOME="$T/home"
sync_all() { "$PUBFS" sync --base-url https://pub.example.com --runtime-version 2026.08.18 "$@"; }
mount_fails() { # NAME PATTERN ARGUMENTS...
	mount_name=$1 mount_pattern=$2
	shift 2
	fails "$mount_name" 3 "$mount_pattern" timeout 60 "$PUBFS" mount "$@"
}

# usage: status 2
fails "no command" 2 "command" "$PUBFS"
fails "an unknown command" 2 "frobnicate" "$PUBFS" frobnicate
fails "an unknown option" 2 "frobnicate" "$PUBFS" sync --frobnicate
fails "an option of another command" 2 "replace" sync_all --replace
fails "an option without its value" 2 "base-url" "$PUBFS" sync --base-url
fails "no base URL" 2 "base-url" "$PUBFS" sync --runtime-version 2026.08.18
fails "no runtime version" 2 "runtime-version" "$PUBFS" sync --base-url https://pub.example.com
fails "a runtime version of another form" 2 "2018.09.13-dev" \
	"$PUBFS" sync --base-url https://pub.example.com --runtime-version 2018.09.13-dev
fails "a base URL that is none" 2 "pub.example.com" \
	"$PUBFS" sync --base-url pub.example.com --runtime-version 2026.08.18
fails "a number that is none" 2 "ttl" sync_all --ttl soon
fails "no jobs" 2 "jobs" sync_all --jobs 0
fails "a time that is none" 2 "now" sync_all --now yesterday
fails "a store of an unknown kind" 2 "ftp" sync_all --store ftp://x
fails "a database of an unknown kind" 2 "mysql" sync_all --db mysql:x
echo "frobnicate = 1" >bad.conf
fails "an unknown name in the configuration" 2 "bad.conf.*1.*frobnicate\|frobnicate.*bad.conf" \
	sync_all --config bad.conf
fails "a configuration that is not there" 2 "none.conf" sync_all --config none.conf

# nothing there yet: status 3, and nothing is made
fails "a missing database" 3 "pub.db" sync_all
check "no database was made" test ! -e "$PUBFS_HOME/pub.db"
fails "a missing store" 3 "bucket" "$PUBFS" ls /
mkdir mnt
mount_fails "mounting a missing store" "bucket" "$T/mnt"
check "no store was made" test ! -e "$PUBFS_HOME/bucket"

"$PUBFS" publish "$golden"/archives/*.tar.gz >/dev/null || not_ok "publish"
fails "check where there is no bucket yet" 3 "there is no store" "$PUBFS" check
check "tells of the database" grep "^database  *works" .out
sync_all >/dev/null || not_ok "sync"
fails "a mistyped --db" 3 "pub.bd" sync_all --db "sqlite:$PUBFS_HOME/pub.bd"
fails "check of a mistyped --db" 3 "pub.bd" "$PUBFS" check --db "sqlite:$PUBFS_HOME/pub.bd"
check "it was not made" test ! -e "$PUBFS_HOME/pub.bd"
mkdir folder
echo "this is no database, it is a text that is long enough to be looked at" >text
: >empty
fails "a folder as database" 3 "folder" sync_all --db "sqlite:$T/folder"
fails "a text as database" 3 "text" sync_all --db "sqlite:$T/text"
fails "an empty file as database" 3 "empty" sync_all --db "sqlite:$T/empty"
sqlite3 other.db "CREATE TABLE t (x)"
fails "another program's database" 3 "other.db" sync_all --db "sqlite:$T/other.db"
cp "$PUBFS_HOME/pub.db" newer.db
sqlite3 newer.db "PRAGMA user_version = 999" >/dev/null
fails "a newer schema" 3 "newer.db\|999" sync_all --db "sqlite:$T/newer.db"
fails "a text as store" 3 "text" "$PUBFS" ls --store "dir:$T/text" /
mkdir foreign && echo x >foreign/photo.jpg
fails "somebody's folder as store" 3 "foreign" sync_all --store "dir:$T/foreign"
same "it was left alone" photo.jpg ls -A foreign

fails "one store for bucket and archives" 3 "must be two" \
	sync_all --archives "dir:$PUBFS_HOME/../home/bucket/"

# loading: all or nothing, a bad line by number
good='{"package":"argon","version":"1.0.0","published":"2026-01-01T00:00:00Z","pubspec":{"name":"argon","version":"1.0.0"}}'
bad_line() { # NAME LINE
	printf '%s\n%s\n%s\n' "$good" "$good" "$2" >bad.jsonl
	fails "load: $1" 3 "bad.jsonl:3\|bad.jsonl.*line 3" "$PUBFS" load bad.jsonl
}
bad_line "no JSON" '{"package":'
bad_line "not an object" '[1]'
bad_line "two values" '{} {}'
bad_line "no package" '{"version":"1.0.0","published":"2026-01-01T00:00:00Z","pubspec":{}}'
bad_line "no pubspec" '{"package":"argon","version":"1.0.1","published":"2026-01-01T00:00:00Z"}'
bad_line "a pubspec that is no object" '{"package":"argon","version":"1.0.1","published":"2026-01-01T00:00:00Z","pubspec":[]}'
bad_line "a key twice" '{"package":"argon","version":"1.0.1","published":"2026-01-01T00:00:00Z","pubspec":{"a":1,"a":2}}'
bad_line "a name with a slash" '{"package":"../argon","version":"1.0.1","published":"2026-01-01T00:00:00Z","pubspec":{}}'
bad_line "a name of 65 characters" "{\"package\":\"$(printf 'a%.0s' $(seq 65))\",\"version\":\"1.0.1\",\"published\":\"2026-01-01T00:00:00Z\",\"pubspec\":{}}"
bad_line "a version that is none" '{"package":"argon","version":"1.0","published":"2026-01-01T00:00:00Z","pubspec":{}}'
bad_line "a version not canonical" '{"package":"argon","version":"01.0.0","published":"2026-01-01T00:00:00Z","pubspec":{}}'
bad_line "a time that is none" '{"package":"argon","version":"1.0.1","published":"yesterday","pubspec":{}}'
bad_line "a hash that is none" '{"package":"argon","version":"1.0.1","published":"2026-01-01T00:00:00Z","pubspec":{},"archive_sha256":"abc"}'
bad_line "another row of the same version" '{"package":"helium","version":"0.1.0","published":"2026-01-01T00:00:00Z","pubspec":{"name":"helium","version":"0.1.0","x":1}}'
printf '{"package":"\377"}\n' >bad.jsonl
fails "load: invalid UTF-8" 3 "bad.jsonl:1\|bad.jsonl.*line 1" "$PUBFS" load bad.jsonl
fails "load: a file that is not there" 3 "none.jsonl" "$PUBFS" load none.jsonl
printf '\037\213\010\000cut' >cut.jsonl.gz
fails "load: a gzip file that is cut" 3 "cut.jsonl.gz" "$PUBFS" load cut.jsonl.gz
same "nothing of those files is there" 0 sqlite3 "$PUBFS_HOME/pub.db" \
	"SELECT count(*) FROM package_version WHERE package = 'argon'"

# publishing
make_archive() { # NAME FILES...: as it lies in the folder `a`
	archive_name=$1
	shift
	(cd a && tar -cPzf "../$archive_name" "$@")
}
mkdir -p a
pubspec() { printf '%s\n' "$@" >a/pubspec.yaml; }
refused() { # NAME PATTERN
	fails "publish: $1" 3 "$2" "$PUBFS" publish "$T/x.tar.gz"
}
pubspec "name: argon" "version: 1.0.0"
echo x >outside
make_archive x.tar.gz pubspec.yaml ../outside
refused "a path that leaves the archive" "outside"
make_archive x.tar.gz pubspec.yaml "$T/outside"
refused "an absolute path" "outside"
ln -sf ../../etc/passwd a/link
make_archive x.tar.gz pubspec.yaml link
refused "a link that leaves the archive" "link"
rm a/link
echo x >a/README.md
make_archive x.tar.gz README.md
refused "no pubspec" "pubspec"
cp text x.tar.gz
refused "no archive" "x.tar.gz"
make_archive whole.tar.gz pubspec.yaml README.md
head -c 60 whole.tar.gz >x.tar.gz
refused "an archive that is cut" "x.tar.gz"
: >x.tar.gz
refused "an empty file" "x.tar.gz"
rm x.tar.gz
refused "a file that is not there" "x.tar.gz"
bad_pubspec() { # NAME PATTERN LINES...
	bad_name=$1 bad_pattern=$2
	shift 2
	pubspec "$@"
	make_archive x.tar.gz pubspec.yaml
	refused "$bad_name" "$bad_pattern"
}
bad_pubspec "no name" "name" "version: 1.0.0"
bad_pubspec "no version" "version" "name: argon"
bad_pubspec "a bad name" "name" "name: ar-gon" "version: 1.0.0"
bad_pubspec "a name of 65 characters" "name" "name: $(printf 'a%.0s' $(seq 65))" "version: 1.0.0"
bad_pubspec "a version that is a number" "version" "name: argon" "version: 1.0"
bad_pubspec "a version not canonical" "1.0.00" "name: argon" "version: 1.0.00"
bad_pubspec "an alias" "alias\|anchor" "name: &n argon" "version: 1.0.0" "x: *n"
bad_pubspec "a key twice" "second time" "name: argon" "version: 1.0.0" "name: neon"
bad_pubspec "no YAML" "x.tar.gz" "name: [argon"
bad_pubspec "not a mapping" "mapping" "- argon"
bad_pubspec "too long" "131072" "name: argon" "version: 1.0.0" "description: $(head -c 131072 /dev/zero | tr '\0' x)"
bad_pubspec "101 dependencies" "100" "name: argon" "version: 1.0.0" "dependencies:" \
	"$(seq 101 | sed 's/.*/  p&: any/')"
bad_pubspec "the same version with other bytes" "helium" "name: helium" "version: 0.1.0"
same "no row of them is there" 0 sqlite3 "$PUBFS_HOME/pub.db" \
	"SELECT count(*) FROM package WHERE name NOT IN ('helium', 'oxygen', 'oxygen_lamp')"
same "no archive of them is there" 4 sh -c "ls '$PUBFS_HOME/archives/packages' | wc -l"
check "the same version with the same bytes is nothing new" \
	"$PUBFS" publish "$golden/archives/helium-0.1.0.tar.gz"

# the tree's commands
fails "cat of what is not there" 3 "argon" "$PUBFS" cat latest/api/packages/argon
fails "cat of a folder" 3 "latest" "$PUBFS" cat latest
fails "ls of what is not there" 3 "argon" "$PUBFS" ls latest/api/packages/argon
fails "rm of what is not there" 3 "argon" "$PUBFS" rm latest/api/packages/argon
fails "put of a listing that clients could not read" 3 "text\|JSON" \
	"$PUBFS" put text latest/api/packages/helium
fails "put beside the tree" 3 "folder [.][.]" "$PUBFS" put text ../helium
fails "put below a package" 3 "folder latest/api/packages/new" \
	"$PUBFS" put text latest/api/packages/new/
fails "put of what a mount keeps to itself" 3 "never leaves a mount" \
	"$PUBFS" put text latest/api/packages/.helium.swp
fails "put of an empty file" 3 "empty" "$PUBFS" put empty latest/api/packages/helium
fails "put without the gate needs a reason" 2 "reason" \
	"$PUBFS" put --gate off text latest/api/packages/helium
check "helium is as it was" sh -c "'$PUBFS' cat latest/api/packages/helium | jq -e '.name == \"helium\"'"
fails "sync of an unknown package" 3 "argon" sync_all argon

# one bad package does not hold up the others
sqlite3 "$PUBFS_HOME/pub.db" "UPDATE package_version SET created = 'never' WHERE package = 'helium';
	UPDATE package SET discontinued = 1 WHERE name IN ('helium', 'oxygen')"
bad_row() { # what is said of its package, and again where all packages are read
	sync_all >/dev/null 2>"$T/bad_row"
	bad_row_status=$?
	sort -u "$T/bad_row" >&2
	return "$bad_row_status"
}
fails "a row that cannot be read" 3 "helium" bad_row
check "the others were exported" \
	sh -c "'$PUBFS' cat latest/api/packages/oxygen | jq -e .isDiscontinued"
check "the bad one is as it was" \
	sh -c "'$PUBFS' cat latest/api/packages/helium | jq -e '.isDiscontinued | not'"
sqlite3 "$PUBFS_HOME/pub.db" \
	"UPDATE package_version SET created = '2026-01-01T00:00:00Z' WHERE package = 'helium'"
check "it is retried" sync_all

# held: status 4
cp "$PUBFS_HOME/pub.db" kept.db
sqlite3 kept.db "DELETE FROM package_version; DELETE FROM package; DELETE FROM export_state" >/dev/null
fails "a database without any package" 4 "no package.*pubfs sync --allow-mass-change" sync_all --db "sqlite:$T/kept.db"
check "no sums are told where nothing was looked at" test ! -s .out
fails "another base URL" 4 "base URL.*pubfs sync --allow-mass-change" \
	"$PUBFS" sync --base-url https://other.example.com --runtime-version 2026.08.18
check "nothing was removed" "$PUBFS" cat latest/api/packages/oxygen

# a corrupt index is made anew, said once
index=$(find "$PUBFS_HOME/cache" -name 'data.mdb' -o -name 'index.mdb' | head -n 1)
for damage in truncated scribbled; do
	for f in "$PUBFS_HOME"/cache/*/*.mdb; do
		case $damage in
		truncated) truncate -s 5000 "$f" ;;
		scribbled) head -c 40000 /dev/urandom | dd of="$f" conv=notrunc 2>/dev/null ;;
		esac
	done
	"$PUBFS" ls latest/api/packages >out 2>said
	status=$?
	cp said "$T/.said"
	check "a $damage index: the listing is right" test "$status" = 0 -a "$(wc -l <out)" = 6
	same "a $damage index: said once" 1 sh -c "grep -c index said"
	same "a $damage index: the next run has nothing to say" "" \
		sh -c "'$PUBFS' ls latest/api/packages 2>&1 >/dev/null"
done
check "there is an index" test -n "$index"

# a full disk
small_disk() { # a tmpfs; where those have no user attributes, an ext4 in a file
	mkdir -p small
	mount -t tmpfs -o size=2m tmpfs small && mounted="$T/small $mounted"
	if touch small/x && setfattr -n user.x -v y small/x; then
		rm small/x
		return 0
	fi
	umount small
	truncate -s 8m small.img && mkfs.ext4 -q small.img && mount -o loop small.img small
}
if [ "$(id -u)" = 0 ]; then
	check "a small disk" small_disk
	check "a small store" sync_all --store "dir:$T/small/bucket"
	dd if=/dev/zero of=small/fill bs=4k 2>/dev/null
	sqlite3 "$PUBFS_HOME/pub.db" "UPDATE package SET discontinued = 0"
	"$PUBFS" cat --store "dir:$T/small/bucket" latest/api/packages/oxygen >old
	sync_all --store "dir:$T/small/bucket" >out 2>said
	same "a full disk: status 3" 3 echo $?
	check "a full disk: said" sh -c "cat said; grep -q 'file system is full' said"
	check "a full disk: the old object is intact" \
		sh -c "'$PUBFS' cat --store 'dir:$T/small/bucket' latest/api/packages/oxygen | cmp - old"
	fails "no room for an index: said, and no crash" 3 "the index in .*--cache" \
		"$PUBFS" ls --cache "$T/small/cache" /
	rm small/fill
	check "with room again it goes on" sync_all --store "dir:$T/small/bucket"
	check "and the index is made" "$PUBFS" ls --cache "$T/small/cache" /
	cp "$PUBFS_HOME/pub.db" small/pub.db
	mount -o remount,ro small
	fails "a database where nothing can be written" 3 "pub.db: .*its folder" \
		"$PUBFS" deployments --db "sqlite:$T/small/pub.db"
fi

# mount points
mount_fails "a mount point that is not there" "nowhere" "$T/nowhere"
mount_fails "a mount point that is a file" "text" "$T/text"
mkdir full && echo x >full/x
mount_fails "a mount point that is not empty" "full" "$T/full"
if can_mount; then
	check "mount" mount_at "$T/m"
	mount_fails "a mount point in use" "/m" "$T/m"
	check "the mount is alive" ls "$T/m/latest"
	check "unmount" unmount "$daemon" "$T/m"
fi
if [ "$(id -u)" = 0 ] && command -v unshare >/dev/null; then
	fails "no /dev/fuse" 3 "/dev/fuse" unshare -m sh -c \
		"mount -t tmpfs tmpfs /dev && exec '$PUBFS' mount '$T/mnt'"
fi
