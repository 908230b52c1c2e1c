-- SPDX-License-Identifier: BSD-3-Clause
-- dialect_postgresql.sql - what the tests' SQL, written for SQLite, means in PostgreSQL.

-- 0 and 1 may be stored in a flag
UPDATE pg_cast SET castcontext = 'a' WHERE castsource = 'int4'::regtype AND casttarget = 'bool'::regtype;

CREATE FUNCTION public.with_comma(text, text) RETURNS text LANGUAGE sql
AS $$ SELECT concat_ws(',', $1, $2) $$;
CREATE AGGREGATE public.group_concat(text) (sfunc = public.with_comma, stype = text);

-- now, and so far from it; without a distance, before whatever comes next in this second
CREATE FUNCTION public.strftime(format text, now text) RETURNS timestamptz LANGUAGE sql
AS $$ SELECT date_trunc('second', clock_timestamp()) - interval '1 microsecond' $$;
CREATE FUNCTION public.strftime(format text, now text, distance text) RETURNS timestamptz
LANGUAGE sql AS $$ SELECT clock_timestamp() + distance::interval $$;

CREATE FUNCTION public.printf(format text, n integer, c text) RETURNS text LANGUAGE sql
AS $$ SELECT repeat(c, n) $$;

-- A package as the exporter sees it, times as text: what is asked sees this one.
CREATE SCHEMA seen;
CREATE FUNCTION seen.iso(at timestamptz) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'), '000$', '')
		|| 'Z'
$$;
CREATE VIEW seen.package AS SELECT name, seen.iso(created) AS created, seen.iso(updated) AS updated,
	moderated, deleted, discontinued, replaced_by, unlisted, latest_version,
	seen.iso(latest_advisory) AS latest_advisory, likes, publisher, granted_points, max_points,
	download_count_30d, tags
FROM pubfs.package_now ORDER BY name;
