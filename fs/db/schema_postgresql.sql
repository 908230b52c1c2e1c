-- SPDX-License-Identifier: BSD-3-Clause
-- schema_postgresql.sql - the package database in PostgreSQL: `pubfs schema postgresql | psql URL`
-- makes one, or brings one of an earlier version to this one, in one transaction.
--
-- Any program may write the first four tables with plain SQL, in any order; the triggers do the
-- rest. Where one of them is there already it is left as it is; if it is a view, on tables of a
-- registry's own, no trigger of ours is on them, and their owner's call changed() instead.
--
-- What the triggers do to the transaction that they run in is to add rows, and nothing else: no
-- row that another transaction could want is locked or changed, so none waits for another, fails
-- or deadlocks because of them. Therefore:
-- 1. package_event has a row for each change of a package, package_counter the sums of those that
--    were put together, and the view package_change the sums of both: n is how many changes of a
--    package a snapshot sees. Of two snapshots, the later one sees all that the earlier one sees,
--    and so never a smaller n, nor the same n of other changes.
-- 2. settle() moves rows from package_event to package_counter, which changes no sum.
-- 3. What a change moves in the row of a package, without writing it, is in the view package_now:
--    `updated` is the latest of its own and package_change.moved, `latest_advisory` of its own and
--    package_change.advised, and a replaced_by whose package was purged is none.
-- Text is compared in byte order.

BEGIN;

SET LOCAL client_min_messages = warning;
DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('pubfs schema')); END $$;

CREATE SCHEMA IF NOT EXISTS "pubfs";
SET LOCAL search_path = "pubfs", pg_temp;

CREATE TABLE IF NOT EXISTS schema_version (
	version integer NOT NULL,
	one boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (one)
);
INSERT INTO schema_version (version) VALUES (4) ON CONFLICT DO NOTHING;
DO $$
BEGIN
	IF (SELECT version FROM schema_version) > 4 THEN
		RAISE EXCEPTION 'there is a pubfs schema of version %, and this is version 4',
			(SELECT version FROM schema_version);
	END IF;
END $$;

CREATE TABLE IF NOT EXISTS package (
	name text COLLATE "C" NOT NULL PRIMARY KEY CHECK (name ~ '^[A-Za-z_][A-Za-z0-9_]{0,63}$'),
	created timestamptz NOT NULL DEFAULT clock_timestamp(),
	updated timestamptz NOT NULL DEFAULT clock_timestamp(),
	moderated boolean NOT NULL DEFAULT false,
	deleted boolean NOT NULL DEFAULT false,
	discontinued boolean NOT NULL DEFAULT false,
	replaced_by text,
	unlisted boolean NOT NULL DEFAULT false,
	latest_version text, -- null: computed
	latest_advisory timestamptz, -- null: there never was one
	likes bigint NOT NULL DEFAULT 0,
	publisher text,
	granted_points bigint NOT NULL DEFAULT 0,
	max_points bigint NOT NULL DEFAULT 0,
	download_count_30d bigint, -- null: not known
	tags text NOT NULL DEFAULT '[]' -- JSON
);

CREATE TABLE IF NOT EXISTS package_version (
	package text COLLATE "C" NOT NULL CHECK (package ~ '^[A-Za-z_][A-Za-z0-9_]{0,63}$'),
	version text COLLATE "C" NOT NULL,
	created timestamptz NOT NULL DEFAULT clock_timestamp(),
	pubspec text NOT NULL, -- JSON
	archive_sha256 text, -- hexadecimal; null: not known
	retracted boolean NOT NULL DEFAULT false,
	moderated boolean NOT NULL DEFAULT false,
	deleted boolean NOT NULL DEFAULT false,
	PRIMARY KEY (package, version)
);

CREATE TABLE IF NOT EXISTS advisory (
	id text COLLATE "C" NOT NULL PRIMARY KEY,
	osv text NOT NULL, -- JSON
	synced timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE IF NOT EXISTS advisory_package (
	advisory text COLLATE "C" NOT NULL,
	package text COLLATE "C" NOT NULL,
	PRIMARY KEY (advisory, package)
);

-- Changes of packages that were not put together yet, in no order.
CREATE TABLE IF NOT EXISTS package_event (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	package text COLLATE "C" NOT NULL,
	digits bigint NOT NULL DEFAULT -- at random; those of a UUID that its version does not fix
		('x' || left(gen_random_uuid()::text, 8) || right(gen_random_uuid()::text, 8))
			::bit(64)::bigint,
	moved timestamptz, -- of `updated`; null: it does not move
	advised timestamptz, -- of `latest_advisory`; null: it does not move
	removes boolean NOT NULL DEFAULT false -- an advisory: `advised` becomes the commit's time
);
CREATE INDEX IF NOT EXISTS package_event_by_package ON package_event (package);

CREATE TABLE IF NOT EXISTS package_counter (
	package text COLLATE "C" NOT NULL PRIMARY KEY,
	n bigint NOT NULL,
	digits bigint NOT NULL,
	moved timestamptz,
	advised timestamptz,
	change text COLLATE "C" NOT NULL
		GENERATED ALWAYS AS (n || '-' || lpad(to_hex(digits), 16, '0')) STORED
);

-- What scan() saw of each package last.
CREATE TABLE IF NOT EXISTS package_scan (
	package text COLLATE "C" NOT NULL PRIMARY KEY,
	digest bigint NOT NULL
);

-- How many events were settled, ever: with those that were not, a number that each change moves.
CREATE TABLE IF NOT EXISTS settled (
	total bigint NOT NULL,
	one boolean NOT NULL DEFAULT true PRIMARY KEY CHECK (one)
);
INSERT INTO settled (total) VALUES (0) ON CONFLICT DO NOTHING;

-- What a transaction did to an advisory, and the packages that it could see to be named by it.
-- Those that another one named at the same time are found when both are over, by settle().
CREATE TABLE IF NOT EXISTS advisory_event (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	advisory text NOT NULL,
	package text, -- whose name came or went; null: of all that are named
	removed boolean NOT NULL,
	noted text[] NOT NULL,
	at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- The state of each package that has or had rows: '<n>-<16 hex digits>'. n counts its changes, the
-- digits are random, so that a restored database that counts to the same n is noticed.
CREATE OR REPLACE VIEW package_change AS
SELECT package, change, moved, advised FROM package_counter c
WHERE NOT EXISTS (SELECT FROM package_event e WHERE e.package = c.package)
UNION ALL
SELECT e.package,
	e.n + coalesce(c.n, 0) || '-' || lpad(to_hex(e.digits # coalesce(c.digits, 0)), 16, '0'),
	greatest(e.moved, c.moved), greatest(e.advised, c.advised)
FROM (
	SELECT package, count(*) AS n, bit_xor(digits) AS digits, max(moved) AS moved,
		max(advised) AS advised
	FROM package_event GROUP BY package
) AS e LEFT JOIN package_counter c ON c.package = e.package;

CREATE OR REPLACE VIEW package_now AS
SELECT p.name::text COLLATE "C" AS name, p.created, greatest(p.updated, c.moved) AS updated,
	p.moderated, p.deleted, p.discontinued, CASE
		WHEN EXISTS (SELECT FROM package k WHERE k.name = p.replaced_by) OR NOT EXISTS (
			SELECT FROM package_change k WHERE k.package = p.replaced_by::text
		) THEN p.replaced_by::text
	END AS replaced_by, p.unlisted, p.latest_version::text AS latest_version,
	greatest(p.latest_advisory, c.advised) AS latest_advisory, p.likes,
	p.publisher::text AS publisher, p.granted_points, p.max_points, p.download_count_30d,
	p.tags::text AS tags, c.change
FROM package p LEFT JOIN package_change c ON c.package = p.name::text;

-- What pubfs left of a package in one prefix of one store.
CREATE TABLE IF NOT EXISTS export_state (
	store text COLLATE "C" NOT NULL,
	prefix text COLLATE "C" NOT NULL,
	package text COLLATE "C" NOT NULL,
	change text COLLATE "C", -- null: never exported
	renderer text COLLATE "C",
	seen bytea,
	attempts integer NOT NULL DEFAULT 0, -- failures since the last success
	last_error text,
	PRIMARY KEY (store, prefix, package)
);

CREATE TABLE IF NOT EXISTS deployment (
	runtime_version text COLLATE "C" NOT NULL,
	host text COLLATE "C" NOT NULL,
	heartbeat timestamptz NOT NULL,
	accepted text NOT NULL, -- runtime versions, newest first, with commas between
	retired boolean NOT NULL DEFAULT false,
	PRIMARY KEY (runtime_version, host)
);
ALTER TABLE deployment ADD COLUMN IF NOT EXISTS base_url text NOT NULL DEFAULT '';
ALTER TABLE deployment ADD COLUMN IF NOT EXISTS shadow boolean NOT NULL DEFAULT false;

-- Who of the hosts of a runtime version works on a package, and until when that counts. A lease
-- holds from since on, so that a clock that was set back ends it.
CREATE TABLE IF NOT EXISTS lease (
	store text COLLATE "C" NOT NULL,
	runtime_version text COLLATE "C" NOT NULL,
	name text COLLATE "C" NOT NULL, -- of a package; of other work with a dot in front
	owner text COLLATE "C" NOT NULL,
	since timestamptz NOT NULL,
	until timestamptz NOT NULL,
	PRIMARY KEY (store, runtime_version, name)
);
CREATE INDEX IF NOT EXISTS lease_by_owner ON lease (owner);

CREATE TABLE IF NOT EXISTS latest_hold (
	runtime_version text COLLATE "C" NOT NULL PRIMARY KEY,
	since timestamptz NOT NULL
);

-- The functions run with their owner's rights, since who writes a package may not write our tables.

-- A change of a package; an `advised` that no document can have would never be made good, and
-- counts as none. One transaction sends one notice, when it commits; none with the setting
-- pubfs.notify = off, which a transaction that is to be prepared (two-phase commit) needs.
CREATE OR REPLACE FUNCTION note(package text, moved timestamptz, advised timestamptz,
	removes boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO package_event (package, moved, advised, removes)
	VALUES (note.package, note.moved,
		CASE WHEN note.advised BETWEEN '0001-01-01Z' AND '9999-12-31Z'
			THEN note.advised END,
		note.removes);
	IF current_setting('pubfs.notify', true) IS DISTINCT FROM 'off' THEN
		PERFORM pg_notify(current_schema(), '');
	END IF;
END $$;
REVOKE ALL ON FUNCTION note FROM PUBLIC;

-- For the triggers of a registry's own tables. What is no name of a package is in no bucket.
CREATE OR REPLACE FUNCTION changed(package text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	IF package ~ '^[A-Za-z_][A-Za-z0-9_]{0,63}$' THEN
		PERFORM note(package, clock_timestamp(), NULL, false);
	END IF;
END $$;
GRANT EXECUTE ON FUNCTION changed TO PUBLIC; -- where it is not the default

-- A removal tells clients of itself by its time, so it must not be earlier than what others
-- committed meanwhile.
CREATE OR REPLACE FUNCTION stamp_removal() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	UPDATE package_event SET advised = clock_timestamp() WHERE id = NEW.id;
	RETURN NULL;
END $$;
DROP TRIGGER IF EXISTS pubfs_stamp_removal ON package_event;
CREATE CONSTRAINT TRIGGER pubfs_stamp_removal AFTER INSERT ON package_event
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.removes)
EXECUTE FUNCTION stamp_removal();

-- Whether an advisory is about few enough packages to move their times: it names at most 50. Who
-- writes an advisory asks it for the index advisory_moving; others ask that index, since a document
-- may be long and the packages many: hence the cost.
CREATE OR REPLACE FUNCTION advisory_moves(osv text) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE COST 100000 SET search_path FROM CURRENT AS $$
DECLARE
	affected json;
BEGIN
	affected := osv::json -> 'affected';
	RETURN json_typeof(affected) IS DISTINCT FROM 'array' OR (
		SELECT count(DISTINCT one -> 'package' ->> 'name') <= 50
		FROM json_array_elements(affected) AS one
		WHERE lower(one -> 'package' ->> 'ecosystem') = 'pub'
	);
EXCEPTION WHEN others THEN -- it is not JSON
	RETURN true;
END $$;
GRANT EXECUTE ON FUNCTION advisory_moves TO PUBLIC; -- where it is not the default

DROP FUNCTION IF EXISTS note_advisory(text, text, timestamptz, text, boolean); -- of version 3

-- What a transaction did to an advisory: to all that are named, or (package) to one.
CREATE OR REPLACE FUNCTION note_advisory_event(advisory text, package text, removed boolean,
	noted text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	INSERT INTO advisory_event (advisory, package, removed, noted)
	VALUES (note_advisory_event.advisory, note_advisory_event.package,
		note_advisory_event.removed, note_advisory_event.noted);
	IF current_setting('pubfs.notify', true) IS DISTINCT FROM 'off' THEN
		PERFORM pg_notify(current_schema(), '');
	END IF;
END $$;

-- All packages that an advisory names have changed with it.
CREATE OR REPLACE FUNCTION note_advisory(advisory text, moves boolean, synced timestamptz,
	removed boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	noted text[] := ARRAY(
		SELECT n.package::text
		FROM advisory_package n JOIN package p ON p.name = n.package
		WHERE n.advisory = note_advisory.advisory
	);
BEGIN
	PERFORM note(one, CASE WHEN moves THEN clock_timestamp() END,
		CASE WHEN moves AND NOT removed THEN synced END, moves AND removed)
	FROM unnest(noted) AS one;
	PERFORM note_advisory_event(advisory, NULL, removed, noted);
END $$;

-- One of them has changed with its name there. Where the advisory or the package is not to be seen,
-- another transaction may be about to write it: settle() sees to that.
CREATE OR REPLACE FUNCTION note_name(advisory text, package text, removed boolean) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
DECLARE
	moves boolean;
	synced timestamptz;
BEGIN
	SELECT EXISTS (
		SELECT FROM advisory m
		WHERE m.id = note_name.advisory AND advisory_moves(m.osv::text)
	), a.synced INTO moves, synced
	FROM advisory a JOIN package p ON p.name = note_name.package
	WHERE a.id = note_name.advisory;
	IF FOUND THEN
		PERFORM note(package, CASE WHEN moves THEN clock_timestamp() END,
			CASE WHEN moves AND NOT removed THEN synced END, moves AND removed);
	ELSE
		PERFORM note_advisory_event(advisory, package, removed, '{}');
	END IF;
END $$;
REVOKE ALL ON FUNCTION note_advisory_event, note_advisory, note_name FROM PUBLIC;

-- Statements on a package move its own row in passing. One that sets `updated` is believed.
CREATE OR REPLACE FUNCTION package_before_update() RETURNS trigger
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	IF OLD.discontinued AND NOT NEW.discontinued THEN
		NEW.replaced_by := NULL;
	END IF;
	IF NEW.updated = OLD.updated THEN
		NEW.updated := greatest(OLD.updated, clock_timestamp());
	END IF;
	RETURN NEW;
END $$;

-- Of a table that is empty when its first rows come, a plan made then would read all of it for each.
CREATE OR REPLACE FUNCTION package_noted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT SET enable_seqscan = off AS $$
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		PERFORM note(name, NULL, NULL, false) FROM package;
		RETURN NULL;
	END IF;
	IF NEW.name = OLD.name THEN
		PERFORM note(NEW.name, NULL, NULL, false);
		RETURN NULL;
	END IF;
	IF TG_OP <> 'INSERT' THEN -- it goes, and those that it replaced are replaced by none
		PERFORM note(OLD.name, NULL, NULL, false);
		PERFORM note(name, NULL, NULL, false) FROM package WHERE replaced_by = OLD.name;
	END IF;
	IF TG_OP <> 'DELETE' THEN
		PERFORM note(name, NULL, NULL, false) FROM package
		WHERE replaced_by = NEW.name
			AND EXISTS (SELECT FROM package_change WHERE package = NEW.name);
		PERFORM note(NEW.name, NULL, (
			SELECT max(a.synced)
			FROM advisory_package n JOIN advisory a ON a.id = n.advisory
			WHERE n.package = NEW.name AND advisory_moves(a.osv::text)
		), false);
	END IF;
	RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION package_version_noted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		PERFORM note(package, clock_timestamp(), NULL, false)
		FROM (SELECT DISTINCT package FROM package_version) AS every;
		RETURN NULL;
	END IF;
	IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND NEW.package <> OLD.package) THEN
		PERFORM note(OLD.package, clock_timestamp(), NULL, false);
	END IF;
	IF TG_OP <> 'DELETE' THEN
		PERFORM note(NEW.package, clock_timestamp(), NULL, false);
	END IF;
	RETURN NULL;
END $$;

-- An advisory and the rows that say whom it names come and go in any order: a package is told when
-- both are there, and again, by BEFORE triggers, while both are still there.
CREATE OR REPLACE FUNCTION advisory_noted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		PERFORM note_advisory(id, advisory_moves(osv::text), synced, true) FROM advisory;
		RETURN NULL;
	END IF;
	IF TG_WHEN = 'BEFORE' THEN
		PERFORM note_advisory(OLD.id, advisory_moves(OLD.osv::text), OLD.synced, true);
		RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
	END IF;
	PERFORM note_advisory(NEW.id, advisory_moves(NEW.osv::text), NEW.synced, false);
	RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION advisory_package_noted() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		PERFORM note_name(advisory, package, true) FROM advisory_package;
		RETURN NULL;
	END IF;
	IF TG_WHEN = 'BEFORE' THEN
		PERFORM note_name(OLD.advisory, OLD.package, true);
		RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
	END IF;
	PERFORM note_name(NEW.advisory, NEW.package, false);
	RETURN NULL;
END $$;

-- Who could put them on tables of their own could note what changed() passes over.
REVOKE ALL ON FUNCTION stamp_removal, package_noted, package_version_noted, advisory_noted,
	advisory_package_noted FROM PUBLIC;

CREATE OR REPLACE FUNCTION is_table(name text) RETURNS boolean
LANGUAGE sql STABLE SET search_path FROM CURRENT AS
$$ SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = to_regclass(quote_ident(name)) $$;

DO $$
BEGIN
	IF is_table('package') THEN
		-- whom a package that is purged has replaced
		CREATE INDEX IF NOT EXISTS package_replaced_by ON package (replaced_by)
		WHERE replaced_by IS NOT NULL;

		CREATE OR REPLACE TRIGGER pubfs_move BEFORE UPDATE ON package FOR EACH ROW
		WHEN ((NEW.name, NEW.created, NEW.moderated, NEW.deleted, NEW.discontinued,
			NEW.replaced_by, NEW.unlisted, NEW.latest_version, NEW.latest_advisory,
			NEW.publisher)
		IS DISTINCT FROM (OLD.name, OLD.created, OLD.moderated, OLD.deleted,
			OLD.discontinued, OLD.replaced_by, OLD.unlisted, OLD.latest_version,
			OLD.latest_advisory, OLD.publisher))
		EXECUTE FUNCTION package_before_update();

		-- likes, points, downloads and tags move no time
		CREATE OR REPLACE TRIGGER pubfs_update AFTER UPDATE ON package FOR EACH ROW
		WHEN ((NEW.name, NEW.created, NEW.moderated, NEW.deleted, NEW.discontinued,
			NEW.replaced_by, NEW.unlisted, NEW.latest_version, NEW.latest_advisory,
			NEW.publisher, NEW.likes, NEW.granted_points, NEW.max_points,
			NEW.download_count_30d, NEW.tags)
		IS DISTINCT FROM (OLD.name, OLD.created, OLD.moderated, OLD.deleted,
			OLD.discontinued, OLD.replaced_by, OLD.unlisted, OLD.latest_version,
			OLD.latest_advisory, OLD.publisher, OLD.likes, OLD.granted_points,
			OLD.max_points, OLD.download_count_30d, OLD.tags))
		EXECUTE FUNCTION package_noted();

		CREATE OR REPLACE TRIGGER pubfs_change AFTER INSERT OR DELETE ON package
		FOR EACH ROW EXECUTE FUNCTION package_noted();

		CREATE OR REPLACE TRIGGER pubfs_truncate BEFORE TRUNCATE ON package
		EXECUTE FUNCTION package_noted();
	END IF;

	IF is_table('package_version') THEN
		-- which packages an export has to look at first, without reading every version
		CREATE INDEX IF NOT EXISTS package_version_taken_down ON package_version (package)
		WHERE moderated OR deleted OR retracted;
		-- the newest versions of all packages, for the feed
		CREATE INDEX IF NOT EXISTS package_version_newest
		ON package_version (created DESC, package, version);

		CREATE OR REPLACE TRIGGER pubfs_update AFTER UPDATE ON package_version FOR EACH ROW
		WHEN (NEW.* IS DISTINCT FROM OLD.*) EXECUTE FUNCTION package_version_noted();

		CREATE OR REPLACE TRIGGER pubfs_change AFTER INSERT OR DELETE ON package_version
		FOR EACH ROW EXECUTE FUNCTION package_version_noted();

		CREATE OR REPLACE TRIGGER pubfs_truncate BEFORE TRUNCATE ON package_version
		EXECUTE FUNCTION package_version_noted();
	END IF;

	IF is_table('advisory') THEN
		-- made anew, since the function may have become another one
		DROP INDEX IF EXISTS advisory_moving;
		CREATE INDEX advisory_moving ON advisory (id) WHERE advisory_moves(osv::text);

		CREATE OR REPLACE TRIGGER pubfs_insert AFTER INSERT ON advisory
		FOR EACH ROW EXECUTE FUNCTION advisory_noted();

		CREATE OR REPLACE TRIGGER pubfs_rename BEFORE UPDATE ON advisory FOR EACH ROW
		WHEN (NEW.id <> OLD.id) EXECUTE FUNCTION advisory_noted();

		CREATE OR REPLACE TRIGGER pubfs_update AFTER UPDATE ON advisory FOR EACH ROW
		WHEN ((NEW.id, NEW.osv::text, NEW.synced)
		IS DISTINCT FROM (OLD.id, OLD.osv::text, OLD.synced))
		EXECUTE FUNCTION advisory_noted();

		CREATE OR REPLACE TRIGGER pubfs_delete BEFORE DELETE ON advisory
		FOR EACH ROW EXECUTE FUNCTION advisory_noted();

		CREATE OR REPLACE TRIGGER pubfs_truncate BEFORE TRUNCATE ON advisory
		EXECUTE FUNCTION advisory_noted();
	END IF;

	IF is_table('advisory_package') THEN
		CREATE INDEX IF NOT EXISTS advisory_package_by_package
		ON advisory_package (package, advisory);

		CREATE OR REPLACE TRIGGER pubfs_insert AFTER INSERT ON advisory_package
		FOR EACH ROW EXECUTE FUNCTION advisory_package_noted();

		CREATE OR REPLACE TRIGGER pubfs_rename BEFORE UPDATE ON advisory_package
		FOR EACH ROW
		WHEN ((NEW.advisory, NEW.package) IS DISTINCT FROM (OLD.advisory, OLD.package))
		EXECUTE FUNCTION advisory_package_noted();

		CREATE OR REPLACE TRIGGER pubfs_update AFTER UPDATE ON advisory_package FOR EACH ROW
		WHEN ((NEW.advisory, NEW.package) IS DISTINCT FROM (OLD.advisory, OLD.package))
		EXECUTE FUNCTION advisory_package_noted();

		CREATE OR REPLACE TRIGGER pubfs_delete BEFORE DELETE ON advisory_package
		FOR EACH ROW EXECUTE FUNCTION advisory_package_noted();

		CREATE OR REPLACE TRIGGER pubfs_truncate BEFORE TRUNCATE ON advisory_package
		EXECUTE FUNCTION advisory_package_noted();
	END IF;
END $$;

-- They also see what a replication or a session with session_replication_role = replica writes.
DO $$
DECLARE
	ours record;
BEGIN
	FOR ours IN
		SELECT tgrelid::regclass AS place, tgname
		FROM pg_trigger JOIN pg_class c ON c.oid = tgrelid
		WHERE tgname LIKE 'pubfs\_%' AND NOT tgisinternal
			AND relnamespace = (
				SELECT oid FROM pg_namespace WHERE nspname = current_schema()
			)
	LOOP
		EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', ours.place, ours.tgname);
	END LOOP;
END $$;

-- What the exporter does before it looks for work: it finds the packages that two transactions told
-- of an advisory at the same time, each without the other, and puts events together. One does so at
-- a time, whose is the row of `settled`, and the others do not wait for it: nothing is missing
-- where events are not put together, and what the one finds it counts.
CREATE OR REPLACE FUNCTION settle(at_most integer) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	events bigint;
BEGIN
	PERFORM FROM settled FOR UPDATE SKIP LOCKED;
	IF NOT FOUND THEN
		RETURN;
	END IF;

	WITH taken AS (
		DELETE FROM advisory_event WHERE id IN (
			SELECT id FROM advisory_event LIMIT at_most
		) RETURNING *
	), told AS (
		SELECT id, unnest(noted) AS package FROM taken
	), judged AS MATERIALIZED ( -- each advisory once, however many packages it names
		SELECT id, synced, advisory_moves(osv::text) AS moves
		FROM advisory WHERE id IN (SELECT advisory FROM taken)
	), missed AS (
		SELECT t.removed, t.at, p.name AS package, a.synced,
			coalesce(a.moves, true) AS moves
		FROM taken t JOIN advisory_package n ON n.advisory = t.advisory
			JOIN package p ON p.name = n.package
			LEFT JOIN judged a ON a.id = t.advisory
		WHERE t.package IS NULL AND (t.removed OR a.id IS NOT NULL) AND NOT EXISTS (
			SELECT FROM told WHERE told.id = t.id AND told.package = n.package
		)
		UNION ALL
		SELECT t.removed, t.at, p.name, a.synced, coalesce(a.moves, true)
		FROM taken t JOIN package p ON p.name = t.package
			LEFT JOIN judged a ON a.id = t.advisory
		WHERE t.removed OR a.id IS NOT NULL
	), found AS (
		INSERT INTO package_event (package, moved, advised)
		SELECT package, CASE WHEN moves THEN at END,
			CASE WHEN moves AND removed THEN clock_timestamp()
				WHEN moves AND synced BETWEEN '0001-01-01Z' AND '9999-12-31Z'
				THEN synced END -- as note() has it
		FROM missed
	)
	SELECT count(*) INTO events FROM taken;

	WITH taken AS (
		DELETE FROM package_event WHERE id IN (
			SELECT id FROM package_event LIMIT at_most
		) RETURNING *
	), counted AS (
		UPDATE settled SET total = total + events + (SELECT count(*) FROM taken)
		WHERE events + (SELECT count(*) FROM taken) > 0
	)
	INSERT INTO package_counter AS c (package, n, digits, moved, advised)
	SELECT package, count(*), bit_xor(digits), max(moved), max(advised)
	FROM taken GROUP BY package
	ON CONFLICT (package) DO UPDATE SET
		n = c.n + excluded.n, digits = c.digits # excluded.digits,
		moved = greatest(c.moved, excluded.moved),
		advised = greatest(c.advised, excluded.advised);
END $$;

-- Where no trigger tells of changes: counts one for each package whose row has another look than
-- the last time, of those that were updated in the last so many microseconds (of all, if that is 95
-- years) or have no such time. How many these are.
CREATE OR REPLACE FUNCTION scan(span bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
DECLARE
	found bigint;
BEGIN
	WITH looked AS (
		SELECT p.name::text COLLATE "C" AS name, p.updated,
			hashtextextended(p::text, 0) AS digest
		FROM package p
		WHERE (span >= 3000000000000000 OR p.updated > clock_timestamp()
				- make_interval(secs => least(span, 3000000000000000) / 1000000.0)
			) IS NOT FALSE
			AND p.name ~ '^[A-Za-z_][A-Za-z0-9_]{0,63}$'
	), other AS (
		SELECT l.* FROM looked l LEFT JOIN package_scan s ON s.package = l.name
		WHERE s.digest IS DISTINCT FROM l.digest
	), kept AS (
		INSERT INTO package_scan (package, digest)
		SELECT name, digest FROM other ORDER BY name
		ON CONFLICT (package) DO UPDATE SET digest = excluded.digest
	), noted AS ( -- a time of the future, or none of the calendar, would never be made good
		INSERT INTO package_event (package, moved)
		SELECT name, least(updated, clock_timestamp()) FROM other
	)
	SELECT count(*) INTO found FROM other;
	RETURN found;
END $$;

-- What a role needs that exports, and one that also writes packages (load, publish, set, advisory):
-- SELECT "pubfs".grant_export('name of the role').
CREATE OR REPLACE FUNCTION grant_export(role regrole) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO %s', current_schema(), role);
	EXECUTE format('GRANT SELECT ON package, package_version, advisory, advisory_package,'
		' package_change, package_now, schema_version TO %s', role);
	EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON deployment, lease TO %s', role);
	EXECUTE format('GRANT SELECT, INSERT, UPDATE ON export_state, package_counter, package_scan'
		' TO %s', role);
	EXECUTE format('GRANT SELECT, INSERT, DELETE ON latest_hold, package_event TO %s', role);
	EXECUTE format('GRANT SELECT, DELETE ON advisory_event TO %s', role);
	EXECUTE format('GRANT SELECT, UPDATE ON settled TO %s', role);
	EXECUTE format('GRANT EXECUTE ON FUNCTION settle, scan TO %s', role);
END $$;

CREATE OR REPLACE FUNCTION grant_intake(role regrole) RETURNS void
LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
	PERFORM grant_export(role);
	EXECUTE format('GRANT INSERT, UPDATE, DELETE ON package, package_version, advisory,'
		' advisory_package TO %s', role);
END $$;

UPDATE schema_version SET version = 4 WHERE version < 4;

COMMIT;
