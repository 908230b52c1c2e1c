# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154 # what lib.sh and world.sh set
# events_story.sh - every event of the export format's section 12, by hand and by plain SQL, while a
# mount keeps itself fresh: exactly the objects that it is about change, in both prefixes.
#
# A test sources lib.sh and world.sh before, and says where the database is.

golden=$tests/golden
site="--base-url https://pub.example.com --runtime-version 2026.08.18"

# what does not need the mount: what is refused, and with which status
check "publish" intake publish --now 2026-01-01T00:00:00Z "$golden"/archives/helium-0.1.0.tar.gz
check "publish" intake publish --now 2026-01-02T00:00:00Z "$golden"/archives/oxygen-1.0.0.tar.gz
set_() { intake set "$@"; }
fails "set of an unknown package" 3 "none is not in the database" set_ none likes=1
fails "set of an unknown version" 3 "oxygen@9.0.0 is not in" set_ oxygen@9.0.0 retracted=true
fails "set of an unknown column" 2 "a package has no name" set_ oxygen name=x
fails "set of a version's column on a package" 2 "a package has no retracted" set_ oxygen retracted=true
fails "set of a package's column on a version" 2 "a version has no likes" set_ oxygen@1.0.0 likes=1
fails "set of what is no flag" 2 "moderated is true or false, not 'yes'" set_ oxygen moderated=yes
fails "set of what is no number" 2 "likes is a whole number" set_ oxygen likes=-1
fails "set of nothing where nothing cannot be" 2 "likes is a whole number, not ''" set_ oxygen likes=
fails "set of what is no package" 2 "replaced_by is a package" set_ oxygen replaced_by=a/b
fails "set of what are no tags" 2 "tags is a JSON list" set_ oxygen 'tags={}'
fails "set without a value" 2 "write NAME=VALUE" set_ oxygen likes
fails "set twice" 2 "likes is set twice" set_ oxygen likes=1 likes=2
fails "set of one bad value sets none" 2 "unlisted is" set_ oxygen likes=7 unlisted=7
same "of all of which nothing was set" 0 sql "SELECT count(*) FROM package WHERE likes > 0 OR moderated OR unlisted"

osv() { # ID MODIFIED PACKAGE VERSIONS
	jq -nc --arg id "$1" --arg modified "$2" --arg package "$3" --argjson versions "$4" '{id: $id,
		modified: $modified, affected: [{package: {ecosystem: "Pub", name: $package},
		versions: $versions}]}' >"$1.json"
}
osv GHSA-1 2026-03-01T00:00:00Z oxygen '["1.0.0"]'
osv future 2926-03-01T00:00:00Z oxygen '["1.0.0"]'
osv untimed never oxygen '["1.0.0"]'
osv versionless 2026-03-01T00:00:00Z oxygen '[]'
osv Ünprintable 2026-03-01T00:00:00Z oxygen '["1.0.0"]'
sed 's/"Pub"/"npm"/' GHSA-1.json >npm.json
jq -c 'del(.id)' GHSA-1.json >nameless.json
jq -c '.details = "x" * 512000' GHSA-1.json >long.json
jq -c '.aliases = [1]' GHSA-1.json >unreadable.json
echo '{' >broken.json
advisory() { intake advisory "$@"; }
fails "an advisory of the future" 3 "more than an hour from now" advisory future.json
fails "an advisory without a time" 3 "time of modification" advisory untimed.json
fails "an advisory without versions" 3 "names no versions" advisory versionless.json
fails "an advisory with an id that cannot be printed" 3 "not printable" advisory Ünprintable.json
fails "an advisory about others alone" 3 "names no versions" advisory npm.json
fails "an advisory without an id" 3 "has no id" advisory nameless.json
fails "an advisory that is too long" 3 "512000" advisory long.json
fails "an advisory that clients could not read" 3 "aliases" advisory unreadable.json
fails "an advisory that is no JSON" 3 "broken.json" advisory broken.json
fails "a file that is not there" 3 "cannot open" advisory nothing.json
fails "the removal of an unknown advisory" 3 "there is no advisory X" advisory --remove X
same "of which none was taken" 0 sql "SELECT count(*) FROM advisory"

if ! can_mount; then
	not_ok "mount: /dev/fuse is not here"
	exit 0
fi
# shellcheck disable=SC2086 # options
check "sync" "$PUBFS" sync $site
# shellcheck disable=SC2086
check "mount" mount_at "$T/mnt" --update $site
seen=$(wc -l <"$T/mnt/.pubfs/changes")

# Names below both prefixes' api/, each once; a name that changed in one prefix alone is marked. The
# feed of all packages has turns of its own, and is looked at in the end.
changed() {
	tail -n "+$((seen + 1))" "$T/mnt/.pubfs/changes" | jq -r .name |
		grep -v -e '/feed\.atom$' -e completion-data | sort -u >keys
	for prefix in latest 2026.08.18; do
		sed -n "s|^$prefix/api/||p" keys | sort >"keys.$prefix"
	done
	comm -12 keys.latest keys.2026.08.18
	comm -3 keys.latest keys.2026.08.18 | sed 's/^\t*/only once: /'
}
is_changed() { [ "$(changed)" = "$expected" ]; }
# changes NAME EXPECTED COMMAND...: the command makes exactly these change.
changes() {
	event=$1
	expected=$(printf '%s\n' $2 | sort)
	shift 2
	check "$event: done" "$@"
	wait_until is_changed
	same "$event: exactly what it is about" "$expected" changed
	# shellcheck disable=SC2086 # options
	check "$event: as the database has it now" "$PUBFS" verify $site oxygen
	seen=$(wc -l <"$T/mnt/.pubfs/changes")
}
of() { # PACKAGE DOCUMENT...: their names; LISTING is the listing
	package=$1
	shift
	for document; do
		[ "$document" = LISTING ] && echo "packages/$package" || echo "packages/$package/$document"
	done
}
all_of() { of "$1" LISTING advisories likes options publisher score; }

changes "published" "archives/oxygen-1.1.0+1.tar.gz $(of oxygen LISTING)" \
	intake publish --now 2026-01-03T00:00:00Z "$golden/archives/oxygen-1.1.0+1.tar.gz"
changes "retracted" "$(of oxygen LISTING)" set_ oxygen@1.0.0 retracted=true
changes "un-retracted" "$(of oxygen LISTING)" sql \
	"UPDATE package_version SET retracted = false WHERE version = '1.0.0'"
changes "discontinued" "$(of oxygen LISTING options)" set_ oxygen discontinued=true
changes "replaced by another" "$(of oxygen LISTING options)" set_ oxygen replaced_by=helium
changes "continued" "$(of oxygen LISTING options)" set_ oxygen discontinued=0
changes "unlisted" "$(of oxygen options)" set_ oxygen unlisted=true
changes "listed again" "$(of oxygen options)" sql "UPDATE package SET unlisted = false"
changes "publisher set" "$(of oxygen publisher)" set_ oxygen publisher=dart.dev
changes "publisher removed" "$(of oxygen publisher)" set_ oxygen publisher=
changes "advisory added" "$(of oxygen advisories LISTING)" advisory GHSA-1.json
osv GHSA-1 2026-02-01T00:00:00Z oxygen '["1.1.0+1"]'
same "an older advisory is passed over" "GHSA-1: was there before" advisory GHSA-1.json
osv GHSA-1 2026-03-02T00:00:00Z oxygen '["1.0.0","1.1.0+1"]'
one_is_refused() { advisory broken.json GHSA-1.json; [ $? -eq 3 ]; }
changes "advisory changed, beside one that is refused" "$(of oxygen advisories LISTING)" one_is_refused
changes "advisory removed" "$(of oxygen advisories LISTING)" advisory --remove GHSA-1
changes "latest moved" "$(of oxygen LISTING)" set_ oxygen latest_version=1.0.0
changes "latest computed again" "$(of oxygen LISTING)" set_ oxygen latest_version=
changes "version moderated" "archives/oxygen-1.1.0+1.tar.gz $(of oxygen LISTING)" \
	set_ oxygen@1.1.0+1 moderated=true
changes "version reinstated" "archives/oxygen-1.1.0+1.tar.gz $(of oxygen LISTING)" \
	set_ oxygen@1.1.0+1 moderated=false
changes "version deleted" "archives/oxygen-1.0.0.tar.gz $(of oxygen LISTING)" \
	set_ oxygen@1.0.0 deleted=true
changes "version back" "archives/oxygen-1.0.0.tar.gz $(of oxygen LISTING)" \
	sql "UPDATE package_version SET deleted = false"
changes "package moderated" "archives/oxygen-1.0.0.tar.gz archives/oxygen-1.1.0+1.tar.gz
	$(all_of oxygen)" set_ oxygen moderated=true
changes "package reinstated" "archives/oxygen-1.0.0.tar.gz archives/oxygen-1.1.0+1.tar.gz
	$(all_of oxygen)" set_ oxygen moderated=false
changes "package deleted" "archives/oxygen-1.0.0.tar.gz archives/oxygen-1.1.0+1.tar.gz
	$(all_of oxygen)" sql "UPDATE package SET deleted = true WHERE name = 'oxygen'"
changes "package back" "archives/oxygen-1.0.0.tar.gz archives/oxygen-1.1.0+1.tar.gz
	$(all_of oxygen)" set_ oxygen deleted=false
changes "liked" "$(of oxygen likes score)" set_ oxygen likes=3
changes "analysed" "$(of oxygen score)" set_ oxygen granted_points=140 max_points=160 \
	'tags=["sdk:dart"]'
changes "downloaded" "$(of oxygen score)" sql "UPDATE package SET download_count_30d = 9 WHERE name = 'oxygen'"
changes "version purged" "$(of oxygen LISTING)" set_ oxygen@1.1.0+1 purged=true
changes "replaced by what is purged next" "$(of oxygen LISTING options)" \
	set_ oxygen discontinued=true replaced_by=helium
updated=$(sql "SELECT updated FROM package WHERE name = 'oxygen'")
changes "package purged: who was replaced by it" "$(of oxygen LISTING options)" \
	set_ helium purged=true
same "whose time does not move" "$updated" sql "SELECT updated FROM package WHERE name = 'oxygen'"
fed() { ! grep -q helium "$T/mnt/latest/feed.atom" && grep -q 'v1.0.0 of oxygen' "$T/mnt/latest/feed.atom"; }
check "the feed of all packages has followed" wait_until fed
check "both prefixes are equal, but for what is collected" diff -r "$T/mnt/latest" "$T/mnt/2026.08.18"
check "unmount" unmount "$daemon" "$T/mnt"
