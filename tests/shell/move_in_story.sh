# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=sh disable=SC2154 # lib.sh sets it
# move_in_story.sh - moving in on a bucket that pub.dev's exporter wrote, from the first look to the
# take-over. A test sources it behind lib.sh, with a configuration that names the bucket, and with
#	put_foreign KEY FILE TYPE ENCODING	writes an object as another program does: FILE as it is,
#					without a key of ours (ENCODING "": none)
#	stored KEY			prints what is stored
own=2026.08.18 theirs=2026.05.12

# The other exporter's documents are what ours would be, but for a base URL that the registry had
# before, a time without Z, other gzip bytes, and documents of which we make none.
load_many() {
	awk 'BEGIN { for (i = 1; i <= 12; i++) {
		p = sprintf("many%02d", i)
		printf "{\"package\":\"%s\",\"version\":\"1.0.0\",\"published\":\"2026-01-02T03:04:05Z\",", p
		printf "\"pubspec\":{\"name\":\"%s\",\"version\":\"1.0.0\"}}\n", p
	} }' | "$PUBFS" load -
}
check "packages" sh -c '"$PUBFS" publish "$1"/golden/archives/*.tar.gz' - "$tests"
check "and more of them" load_many
check "what they would be" "$PUBFS" sync --prefixes own --runtime-version $own --store "dir:$T/model" \
	--cache "$T/model-cache"
sqlite3 "$PUBFS_HOME/pub.db" "DELETE FROM export_state"
json='application/json; charset="utf-8"'
put_document() { # KEY, the text on standard input
	gzip -9n >"$T/gz" && put_foreign "$1" "$T/gz" "$json" gzip
}
model() { "$PUBFS" cat --store "dir:$T/model" --cache "$T/model-cache" "$own/api/$1"; }
write_listing() { # PREFIX PACKAGE
	model "packages/$2" | sed 's|//pub.example.com/|//old.example.com/|g' |
		put_document "$1/api/packages/$2"
}
write_theirs() { # PREFIX
	for p in helium oxygen oxygen_lamp $(awk 'BEGIN { for (i = 1; i <= 12; i++) printf "many%02d ", i }'); do
		model "packages/$p.d/advisories" | sed 's/000Z"/000"/' |
			put_document "$1/api/packages/$p/advisories"
		write_listing "$1" "$p" || return 1
	done
	for archive in helium-0.1.0 oxygen-1.0.0 "oxygen-1.1.0+1" oxygen_lamp-2.0.0-dev; do
		put_foreign "$1/api/archives/$archive.tar.gz" "$tests/golden/archives/$archive.tar.gz" \
			application/octet "" || return 1
	done
}
check "their exporter fills latest/" write_theirs latest
check "and its own prefix" write_theirs $theirs
remember() { # FILE: what is stored of both
	for key in latest/api/packages/oxygen latest/api/packages/helium/advisories \
		latest/api/archives/oxygen-1.0.0.tar.gz $theirs/api/packages/many07; do
		echo "$key $(stored "$key" | sha256sum)"
	done >"$1"
}
remember before

# 1. shadow mode
check "shadow mode fills the own prefix" "$PUBFS" sync --prefixes own --ttl 0
remember after
check "and leaves latest/ as it is" cmp before after
"$PUBFS" diff --explain latest $own >out
same "diff ends with 1" 1 sh -c "\"\$PUBFS\" diff -q latest $own; echo \$?"
check "each listing has another base URL" grep -q '^another base URL: 15, such as api/packages/helium$' out
check "each time is without Z" grep -q '^time without Z: 15, such as api/packages/helium.d/advisories$' out
same "there is no other cause, but for documents that they do not make" "" sh -c \
	"grep -v '^absent in the first: \|^another base URL: \|^time without Z: \|^other headers: \|^other gzip bytes only: ' out || :"

# 2. adopting
same "adopt --dry-run counts" "34 34 34" sh -c \
	'"$PUBFS" adopt --dry-run --json | jq -r "[.adopted, .reads, .changes] | join(\" \")"'
remember after
check "and changes nothing" cmp before after
same "adopt reads and marks each" "34 0 0" sh -c \
	'"$PUBFS" adopt --json | jq -r "[.adopted, .refused, .failed] | join(\" \")"'
remember after
check "the bytes stay" cmp before after
same "again: nothing is left to adopt" "0 34" sh -c \
	'"$PUBFS" adopt --json | jq -r "[.adopted, .ours] | join(\" \")"'
"$PUBFS" diff latest $own >out
same "now the index alone tells what differs" "30 differs" sh -c \
	"grep -v '^only in $own:' out | sed 's/:.*//' | sort | uniq -c | xargs"

# 3. taking over
fails "a tenth of the listings and more are not rewritten unasked" 4 \
	"15 of 15 listings in latest/ would be rewritten (pubfs diff latest $own shows how)" "$PUBFS" sync
remember after
check "so latest/ is as it was" cmp before after
check "the release takes over" "$PUBFS" sync --allow-mass-change
check "both prefixes are equal" "$PUBFS" diff latest $own
check "the bucket is what the database says" "$PUBFS" verify --deep
adopted_archives() {
	for a in helium-0.1.0 oxygen-1.0.0 oxygen-1.1.0+1 oxygen_lamp-2.0.0-dev; do
		"$PUBFS" stat "latest/api/archives/$a.tar.gz"
	done | grep -c '^change: adopted$'
}
same "what was equal, the archives, was not written again" 4 adopted_archives
remember after
same "their own prefix was never touched" "$(grep $theirs before)" grep $theirs after

# 4. the other exporter has not been ended
check "it writes into latest/ once more" write_listing latest oxygen
check "that is put right once" "$PUBFS" sync --ttl 0
check "it writes again" write_listing latest oxygen
fails "then that is held, and says why" 4 "another program keeps writing 1 package in latest/" \
	"$PUBFS" sync --ttl 0
check "it writes again and again" write_listing latest oxygen
fails "and is left to it" 4 "another program keeps writing 1 package in latest/" "$PUBFS" sync --ttl 0
same "verify names it" 1 sh -c '"$PUBFS" verify --ttl 0 | grep -c "^stale latest/api/packages/oxygen:"'
check "once it has ended, a release puts it right" "$PUBFS" sync --ttl 0 --allow-mass-change
check "and the bucket is what the database says" "$PUBFS" verify --deep --ttl 0
