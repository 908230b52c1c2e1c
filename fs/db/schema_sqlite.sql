-- SPDX-License-Identifier: BSD-3-Clause
-- schema_sqlite.sql - the package database in SQLite: `pubfs schema sqlite | sqlite3 pub.db` makes one.
--
-- Any program may write the first four tables with plain SQL, in any order; the triggers do the
-- rest, so no foreign keys are declared (they would hold for some writers alone). Times are ISO
-- 8601 text, UTC, with a Z; with and without it they are compared by rtrim(time, 'Z'), which puts
-- three and six digits of fraction into their right order.

BEGIN IMMEDIATE;

CREATE TABLE package (
	name TEXT NOT NULL PRIMARY KEY
		CHECK (length(name) BETWEEN 1 AND 64 AND name NOT GLOB '*[^A-Za-z0-9_]*'
			AND name NOT GLOB '[0-9]*'),
	created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
	updated TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
	moderated INTEGER NOT NULL DEFAULT 0 CHECK (moderated IN (0, 1)),
	deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)),
	discontinued INTEGER NOT NULL DEFAULT 0 CHECK (discontinued IN (0, 1)),
	replaced_by TEXT,
	unlisted INTEGER NOT NULL DEFAULT 0 CHECK (unlisted IN (0, 1)),
	latest_version TEXT, -- null: computed
	latest_advisory TEXT, -- null: there never was one
	likes INTEGER NOT NULL DEFAULT 0,
	publisher TEXT,
	granted_points INTEGER NOT NULL DEFAULT 0,
	max_points INTEGER NOT NULL DEFAULT 0,
	download_count_30d INTEGER, -- null: not known
	tags TEXT NOT NULL DEFAULT '[]' -- JSON
) STRICT;

CREATE TABLE package_version (
	package TEXT NOT NULL
		CHECK (length(package) BETWEEN 1 AND 64 AND package NOT GLOB '*[^A-Za-z0-9_]*'
			AND package NOT GLOB '[0-9]*'),
	version TEXT NOT NULL,
	created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
	pubspec TEXT NOT NULL, -- JSON
	archive_sha256 TEXT, -- hexadecimal; null: not known
	retracted INTEGER NOT NULL DEFAULT 0 CHECK (retracted IN (0, 1)),
	moderated INTEGER NOT NULL DEFAULT 0 CHECK (moderated IN (0, 1)),
	deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1)),
	PRIMARY KEY (package, version)
) STRICT;

-- which packages an export has to look at first, without reading every version
CREATE INDEX package_version_taken_down ON package_version (package)
	WHERE moderated OR deleted OR retracted;

CREATE TABLE advisory (
	id TEXT NOT NULL PRIMARY KEY,
	osv TEXT NOT NULL, -- JSON
	synced TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT;

CREATE TABLE advisory_package (
	advisory TEXT NOT NULL,
	package TEXT NOT NULL,
	PRIMARY KEY (advisory, package)
) STRICT, WITHOUT ROWID;

CREATE INDEX advisory_package_by_package ON advisory_package (package, advisory);

-- What the triggers ask of an advisory, so that no document is read again for each package that it
-- names; written by them. moves: it is about few enough packages to move their times.
CREATE TABLE advisory_brief (
	advisory TEXT NOT NULL PRIMARY KEY,
	synced TEXT NOT NULL,
	moves INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The state of each package that has or had rows: '<n>-<16 hex digits>'. n counts its changes, the
-- digits are random, so that a restored database that counts to the same n is noticed.
CREATE TABLE package_change (
	package TEXT NOT NULL PRIMARY KEY,
	change TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- What pubfs left of a package in one prefix of one store.
CREATE TABLE export_state (
	store TEXT NOT NULL,
	prefix TEXT NOT NULL,
	package TEXT NOT NULL,
	change TEXT, -- null: never exported
	renderer TEXT,
	seen BLOB,
	attempts INTEGER NOT NULL DEFAULT 0, -- failures since the last success
	last_error TEXT,
	PRIMARY KEY (store, prefix, package)
) STRICT, WITHOUT ROWID;

CREATE TABLE deployment (
	runtime_version TEXT NOT NULL,
	host TEXT NOT NULL,
	heartbeat TEXT NOT NULL,
	accepted TEXT NOT NULL, -- runtime versions, newest first, with commas between
	retired INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1)),
	base_url TEXT NOT NULL DEFAULT '',
	shadow INTEGER NOT NULL DEFAULT 0 CHECK (shadow IN (0, 1)), -- leaves latest/ alone
	PRIMARY KEY (runtime_version, host)
) STRICT;

-- Who of the hosts of a runtime version works on a package, and until when that counts. A lease
-- holds from since on, so that a clock that was set back ends it.
CREATE TABLE lease (
	store TEXT NOT NULL,
	runtime_version TEXT NOT NULL,
	name TEXT NOT NULL, -- of a package; of other work with a dot in front
	owner TEXT NOT NULL,
	since TEXT NOT NULL,
	until TEXT NOT NULL,
	PRIMARY KEY (store, runtime_version, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE latest_hold (
	runtime_version TEXT NOT NULL PRIMARY KEY,
	since TEXT NOT NULL
) STRICT;

-- Views and triggers: a newer schema drops all of them and runs this file from here on.

-- the newest versions of all packages, for the feed
CREATE INDEX IF NOT EXISTS package_version_newest
	ON package_version (rtrim(created, 'Z') DESC, package, version);

-- whom a package that is purged has replaced
CREATE INDEX IF NOT EXISTS package_replaced_by ON package (replaced_by)
	WHERE replaced_by IS NOT NULL;

-- Written by the triggers below and never read: each says that something of a package changed.
-- moves: `updated` becomes now; advised: what latest_advisory becomes, null for no change of it.
-- Neither ever goes back.
CREATE VIEW package_event (package, moves, advised) AS SELECT NULL, NULL, NULL WHERE 0;

CREATE TRIGGER package_event_insert INSTEAD OF INSERT ON package_event
BEGIN
	INSERT INTO package_change (package, change)
	VALUES (NEW.package, '1-' || lower(hex(randomblob(8))))
	ON CONFLICT (package) DO UPDATE
	SET change = (CAST(change AS INTEGER) + 1) || '-' || lower(hex(randomblob(8)));

	UPDATE package SET updated = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
	WHERE name = NEW.package AND NEW.moves
		AND rtrim(updated, 'Z') < strftime('%Y-%m-%dT%H:%M:%f', 'now');

	UPDATE package SET latest_advisory = NEW.advised
	WHERE name = NEW.package AND julianday(NEW.advised) IS NOT NULL -- a time at all
		AND (latest_advisory IS NULL
			OR rtrim(latest_advisory, 'Z') < rtrim(NEW.advised, 'Z'));
END;

-- What advisory_brief has of an advisory: it moves times if it names at most 50 packages.
CREATE VIEW advisory_reach (advisory, synced, moves) AS
SELECT id, synced, (
	SELECT count(*) <= 50
	FROM (
		SELECT DISTINCT json_extract(one.value, '$.package.name')
		FROM json_each(CASE WHEN json_valid(osv) THEN osv ELSE '{}' END, '$.affected') AS one
		WHERE CASE one.type WHEN 'object'
			THEN lower(json_extract(one.value, '$.package.ecosystem')) = 'pub'
				AND json_extract(one.value, '$.package.name') IS NOT NULL
		END
		LIMIT 51
	)
)
FROM advisory;

INSERT OR REPLACE INTO advisory_brief SELECT advisory, synced, moves FROM advisory_reach;

-- The times that the advisories which name a package move it to.
CREATE VIEW package_advised (package, synced) AS
SELECT n.package, b.synced
FROM advisory_package n JOIN advisory_brief b ON b.advisory = n.advisory
WHERE b.moves;

CREATE TRIGGER package_insert AFTER INSERT ON package
BEGIN
	INSERT INTO package_event
	SELECT NEW.name, 0, (
		SELECT synced FROM package_advised WHERE package = NEW.name
		ORDER BY rtrim(synced, 'Z') DESC LIMIT 1
	);
END;

-- A statement that sets `updated` by itself is believed. Likes, points, downloads and tags do not
-- move it, nor does a replaced_by that goes together with the package it names.
CREATE TRIGGER package_update AFTER UPDATE ON package
WHEN (NEW.name, NEW.created, NEW.moderated, NEW.deleted, NEW.discontinued, NEW.replaced_by,
	NEW.unlisted, NEW.latest_version, NEW.latest_advisory, NEW.publisher, NEW.likes,
	NEW.granted_points, NEW.max_points, NEW.download_count_30d, NEW.tags)
IS NOT (OLD.name, OLD.created, OLD.moderated, OLD.deleted, OLD.discontinued, OLD.replaced_by,
	OLD.unlisted, OLD.latest_version, OLD.latest_advisory, OLD.publisher, OLD.likes,
	OLD.granted_points, OLD.max_points, OLD.download_count_30d, OLD.tags)
BEGIN
	UPDATE package SET replaced_by = NULL
	WHERE name = NEW.name AND OLD.discontinued AND NOT NEW.discontinued
		AND NEW.replaced_by IS NOT NULL;

	INSERT INTO package_event VALUES (NEW.name, NEW.updated = OLD.updated AND (
		(NEW.name, NEW.created, NEW.moderated, NEW.deleted, NEW.discontinued, NEW.unlisted,
			NEW.latest_version, NEW.latest_advisory, NEW.publisher)
		IS NOT (OLD.name, OLD.created, OLD.moderated, OLD.deleted, OLD.discontinued,
			OLD.unlisted, OLD.latest_version, OLD.latest_advisory, OLD.publisher)
		OR NEW.replaced_by IS NOT OLD.replaced_by AND (NEW.replaced_by IS NOT NULL
			OR EXISTS (SELECT 1 FROM package WHERE name = OLD.replaced_by))), (
		SELECT synced FROM package_advised
		WHERE package = NEW.name AND NEW.name <> OLD.name
		ORDER BY rtrim(synced, 'Z') DESC LIMIT 1
	));
END;

-- The old name goes as if it had been deleted; the new one comes with package_update.
CREATE TRIGGER package_rename AFTER UPDATE ON package WHEN NEW.name <> OLD.name
BEGIN
	INSERT INTO package_event VALUES (OLD.name, 0, NULL);
	UPDATE package SET replaced_by = NULL WHERE replaced_by = OLD.name;
END;

CREATE TRIGGER package_delete AFTER DELETE ON package
BEGIN
	INSERT INTO package_event VALUES (OLD.name, 0, NULL);
	UPDATE package SET replaced_by = NULL WHERE replaced_by = OLD.name;
END;

CREATE TRIGGER package_version_insert AFTER INSERT ON package_version
BEGIN
	INSERT INTO package_event VALUES (NEW.package, 1, NULL);
END;

CREATE TRIGGER package_version_update AFTER UPDATE ON package_version
WHEN (NEW.package, NEW.version, NEW.created, NEW.pubspec, NEW.archive_sha256, NEW.retracted,
	NEW.moderated, NEW.deleted)
IS NOT (OLD.package, OLD.version, OLD.created, OLD.pubspec, OLD.archive_sha256, OLD.retracted,
	OLD.moderated, OLD.deleted)
BEGIN
	INSERT INTO package_event SELECT OLD.package, 1, NULL WHERE OLD.package <> NEW.package;
	INSERT INTO package_event VALUES (NEW.package, 1, NULL);
END;

CREATE TRIGGER package_version_delete AFTER DELETE ON package_version
BEGIN
	INSERT INTO package_event VALUES (OLD.package, 1, NULL);
END;

-- An advisory and the rows that say whom it names come and go in any order: a package is told when
-- both are there, and again, by BEFORE triggers, while both are still there.
CREATE VIEW advisory_event (advisory, package, synced) AS SELECT NULL, NULL, NULL WHERE 0;

CREATE TRIGGER advisory_event_of_all INSTEAD OF INSERT ON advisory_event
WHEN NEW.package IS NULL
BEGIN
	INSERT INTO package_event
	SELECT p.name, b.moves, CASE WHEN b.moves THEN NEW.synced END
	FROM advisory_brief b
		JOIN advisory_package n ON n.advisory = b.advisory
		JOIN package p ON p.name = n.package
	WHERE b.advisory = NEW.advisory;
END;

CREATE TRIGGER advisory_event_of_one INSTEAD OF INSERT ON advisory_event
WHEN NEW.package IS NOT NULL
BEGIN
	INSERT INTO package_event
	SELECT p.name, b.moves, CASE WHEN b.moves THEN NEW.synced END
	FROM advisory_brief b JOIN package p ON p.name = NEW.package
	WHERE b.advisory = NEW.advisory;
END;

CREATE VIEW advisory_written (advisory) AS SELECT NULL WHERE 0;

CREATE TRIGGER advisory_written_insert INSTEAD OF INSERT ON advisory_written
BEGIN
	INSERT INTO advisory_brief
	SELECT advisory, synced, moves FROM advisory_reach WHERE advisory = NEW.advisory
	ON CONFLICT (advisory) DO UPDATE SET synced = excluded.synced, moves = excluded.moves;

	INSERT INTO advisory_event
	SELECT advisory, NULL, synced FROM advisory_brief WHERE advisory = NEW.advisory;
END;

CREATE TRIGGER advisory_insert AFTER INSERT ON advisory
BEGIN
	INSERT INTO advisory_written VALUES (NEW.id);
END;

CREATE TRIGGER advisory_renamed BEFORE UPDATE ON advisory WHEN NEW.id <> OLD.id
BEGIN
	INSERT INTO advisory_event VALUES (OLD.id, NULL, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
	DELETE FROM advisory_brief WHERE advisory = OLD.id;
END;

CREATE TRIGGER advisory_update AFTER UPDATE ON advisory
WHEN (NEW.id, NEW.osv, NEW.synced) IS NOT (OLD.id, OLD.osv, OLD.synced)
BEGIN
	INSERT INTO advisory_written VALUES (NEW.id);
END;

CREATE TRIGGER advisory_delete BEFORE DELETE ON advisory
BEGIN
	INSERT INTO advisory_event VALUES (OLD.id, NULL, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
	DELETE FROM advisory_brief WHERE advisory = OLD.id;
END;

CREATE TRIGGER advisory_package_insert AFTER INSERT ON advisory_package
BEGIN
	INSERT INTO advisory_event
	SELECT advisory, NEW.package, synced FROM advisory_brief WHERE advisory = NEW.advisory;
END;

CREATE TRIGGER advisory_package_renamed BEFORE UPDATE ON advisory_package
WHEN (NEW.advisory, NEW.package) IS NOT (OLD.advisory, OLD.package)
BEGIN
	INSERT INTO advisory_event
	VALUES (OLD.advisory, OLD.package, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
END;

CREATE TRIGGER advisory_package_update AFTER UPDATE ON advisory_package
WHEN (NEW.advisory, NEW.package) IS NOT (OLD.advisory, OLD.package)
BEGIN
	INSERT INTO advisory_event
	SELECT advisory, NEW.package, synced FROM advisory_brief WHERE advisory = NEW.advisory;
END;

CREATE TRIGGER advisory_package_delete BEFORE DELETE ON advisory_package
BEGIN
	INSERT INTO advisory_event
	VALUES (OLD.advisory, OLD.package, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'));
END;

PRAGMA application_id = 0x70756266; -- "pubf"
PRAGMA user_version = 4;

COMMIT;

PRAGMA journal_mode = WAL;
