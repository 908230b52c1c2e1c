#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# A registry with tables of its own (other names, integer keys) behind four views: what its triggers
# tell of is exported when it is committed, and what they do not tell of when an updater begins.
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=world.sh
. "$tests/shell/world.sh"

serve db/postgresql_server
registry() { psql -qXAt -v ON_ERROR_STOP=1 -c "SET client_min_messages = warning" -c "$1" "$url"; }
check "a registry's own tables" registry "
	CREATE SCHEMA registry;
	CREATE TABLE registry.project (id serial PRIMARY KEY, title varchar(64) UNIQUE,
		born timestamptz DEFAULT clock_timestamp(),
		touched timestamptz DEFAULT clock_timestamp(), state int DEFAULT 0);
	CREATE TABLE registry.release (id serial PRIMARY KEY, project int, number text,
		at timestamptz DEFAULT clock_timestamp(), meta jsonb, withdrawn int DEFAULT 0)"
check "its views" registry "
	CREATE SCHEMA pubfs;
	CREATE VIEW pubfs.package AS SELECT title AS name, born AS created, touched AS updated,
		state = 1 AS moderated, false AS deleted, false AS discontinued,
		NULL::text AS replaced_by, false AS unlisted, NULL::text AS latest_version,
		NULL::timestamptz AS latest_advisory, 0 AS likes, NULL::text AS publisher,
		0 AS granted_points, 0 AS max_points, NULL::int AS download_count_30d,
		'[]'::json AS tags FROM registry.project;
	CREATE VIEW pubfs.package_version AS SELECT title AS package, number AS version,
		at AS created, meta AS pubspec, NULL::text AS archive_sha256,
		withdrawn <> 0 AS retracted, false AS moderated, false AS deleted
		FROM registry.release r JOIN registry.project p ON p.id = r.project;
	CREATE VIEW pubfs.advisory AS
		SELECT '' AS id, '' AS osv, clock_timestamp() AS synced WHERE false;
	CREATE VIEW pubfs.advisory_package AS SELECT '' AS advisory, '' AS package WHERE false"
on_postgresql "$url"
site="--base-url https://pub.example.com --runtime-version 2026.08.18 --ttl 0"
# shellcheck disable=SC2086 # options
check "sync makes the bucket" "$PUBFS" sync $site
how() { "$PUBFS" check | sed -n 's/^database *works: //p'; }
same "check says that they are looked for" "changes are looked for by \`updated\`" how
check "its triggers" registry "
	CREATE FUNCTION registry.tell_of_project() RETURNS trigger LANGUAGE plpgsql AS
		'BEGIN PERFORM pubfs.changed(NEW.title); RETURN NULL; END';
	CREATE TRIGGER tell AFTER INSERT OR UPDATE ON registry.project FOR EACH ROW
		EXECUTE FUNCTION registry.tell_of_project();
	CREATE FUNCTION registry.tell_of_release() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
		PERFORM pubfs.changed(title) FROM registry.project WHERE id = NEW.project;
		RETURN NULL; END';
	CREATE TRIGGER tell AFTER INSERT OR UPDATE ON registry.release FOR EACH ROW
		EXECUTE FUNCTION registry.tell_of_release()"
same "check says that they are told" \
	"changes are told by triggers of the registry, on registry.project, registry.release" how

listing=latest/api/packages/oxygen
watching() {
	# shellcheck disable=SC2086 # options
	"$PUBFS" watch $site 2>>log &
	watcher=$!
	own "$watcher"
}
ended() {
	kill -TERM "$watcher"
	wait "$watcher"
}
body() { "$PUBFS" cat --ttl 0 "$listing"; }
shows() { body | grep -q "$1"; }
shows_not() { body && ! shows "$1"; }
is_gone() { ! body; }
publish() { # TITLE NUMBER
	registry "INSERT INTO registry.project (title) VALUES ('$1') ON CONFLICT DO NOTHING;
		INSERT INTO registry.release (project, number, meta) SELECT id, '$2',
		'{\"name\": \"$1\", \"version\": \"$2\"}' FROM registry.project WHERE title = '$1'"
}
check "a name that is none, of which nothing is exported" publish a/b 1.0.0
check "what is there" publish oxygen 1.0.0
watching
check "is exported" wait_until shows '"version":"1.0.0"'
check "a new version" publish oxygen 1.1.0
check "comes by its event" wait_until shows '"version":"1.1.0"'
check "a retraction" registry "UPDATE registry.release SET withdrawn = 1 WHERE number = '1.1.0'"
check "comes by its event, too" wait_until shows '"retracted":true'
check "a take-down" registry "UPDATE registry.project SET state = 1 WHERE title = 'oxygen'"
check "so does that" wait_until is_gone
check "and back" registry "UPDATE registry.project SET state = 0 WHERE title = 'oxygen'"
check "and that" wait_until shows '"retracted":true'
same "nothing is there of what is no package" "" find "$PUBFS_HOME/bucket" -name 'b' -o -name 'a'
check "the watch ends well" ended

check "without triggers" registry "ALTER TABLE registry.release DISABLE TRIGGER tell;
	ALTER TABLE registry.project DISABLE TRIGGER tell"
same "they are looked for again" "changes are looked for by \`updated\`" how
check "what nobody tells of" registry "UPDATE registry.release SET withdrawn = 0;
	UPDATE registry.project SET touched = clock_timestamp() WHERE title = 'oxygen'"
watching
check "is found when an updater begins" wait_until shows_not retracted
check "the watch ends well again" ended
fails "the registry's rows are not changed through a view without a rule" 3 \
	'column "moderated" of view "package"' intake set oxygen moderated=true
stop_servers
