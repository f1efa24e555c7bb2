-- Reading the past. A timestamp is resolved first (every commit at or below it is then visible), and each table of the
-- statement is replaced by a subquery over the log.

CREATE OR REPLACE FUNCTION crdb_sim.fail(state text, message text, hint text DEFAULT '', detail text DEFAULT '') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF hint <> '' THEN RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message, HINT = hint; END IF;
  IF detail <> '' THEN RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message, DETAIL = detail; END IF;
  RAISE EXCEPTION USING ERRCODE = state, MESSAGE = message;
END $$;

-- Nanoseconds meant by a decimal HLC, an interval or a timestamp; raises CockroachDB's errors.
CREATE OR REPLACE FUNCTION crdb_sim.parse_time(spec text, now_nanos bigint) RETURNS bigint LANGUAGE plpgsql STABLE SET timezone = 'UTC' AS $$
DECLARE
  nanos numeric;
BEGIN
  IF spec ~ '^\s*[+-]?\d+(\.\d*)?\s*$' THEN
    nanos := trunc(spec::numeric);
  ELSE
    BEGIN
      nanos := CASE WHEN spec ~ '^\s*-' THEN now_nanos - extract(epoch FROM replace(spec, '-', '')::interval) * 1000000000
                    ELSE extract(epoch FROM spec::timestamptz) * 1000000000 END;
    EXCEPTION WHEN data_exception THEN
      PERFORM crdb_sim.fail('XXUUU', 'AS OF SYSTEM TIME: value is neither timestamp, decimal, nor interval');
    END;
  END IF;
  IF nanos = 0 THEN PERFORM crdb_sim.fail('XXUUU', 'AS OF SYSTEM TIME: zero timestamp is invalid'); END IF;
  IF nanos < 0 THEN PERFORM crdb_sim.fail('XXUUU', 'AS OF SYSTEM TIME: timestamp before 1970-01-01T00:00:00Z is invalid'); END IF;
  IF nanos > now_nanos THEN
    PERFORM crdb_sim.fail('XXUUU', format('AS OF SYSTEM TIME: cannot specify timestamp in the future (%s > %s)',
      crdb_sim.hlc_error_text(least(nanos, 9223372036854775807)::bigint), crdb_sim.hlc_error_text(now_nanos)));
  END IF;
  RETURN nanos::bigint;
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.resolve_as_of(spec text) RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER
  AS 'SELECT crdb_sim.parse_time(spec, crdb_sim.resolve_now())';

-- Garbage collection: nothing is deleted, but a time at or below the threshold cannot be read any more. A changefeed and
-- crdb_internal.protect_mvcc_history hold the threshold back, the fault "gc" moves it regardless.
CREATE OR REPLACE FUNCTION crdb_sim.ttl_seconds(relation bigint) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT coalesce(
    (SELECT value FROM crdb_sim.zone z JOIN crdb_sim.tbl t ON z.target = t.schema || '.' || t.name WHERE t.table_id = relation AND variable = 'gc.ttlseconds'),
    (SELECT value FROM crdb_sim.zone WHERE target = 'db' AND variable = 'gc.ttlseconds'),
    (SELECT value FROM crdb_sim.zone WHERE target = '' AND variable = 'gc.ttlseconds'), '14400')::bigint $$;

CREATE OR REPLACE FUNCTION crdb_sim.gc_threshold(relation bigint) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  held bigint;
  wanted bigint := crdb_sim.clock_nanos() - crdb_sim.ttl_seconds(relation) * 1000000000;
  forced bigint;
  reached bigint;
BEGIN
  SELECT min(n) INTO held FROM (
    SELECT coalesce(highwater_nanos, cursor_nanos) AS n FROM crdb_sim.job j
      WHERE j.job_type = 'CHANGEFEED' AND j.status IN ('running', 'pause-requested', 'paused', 'resume-requested')
        AND j.targets @> jsonb_build_array(jsonb_build_object('table_id', relation))
    UNION ALL SELECT nanos FROM crdb_sim.history_protection p JOIN crdb_sim.job j USING (job_id) WHERE j.status = 'running' AND p.expires > clock_timestamp()) AS holders;
  IF held IS NOT NULL THEN wanted := least(wanted, held - 1); END IF;
  SELECT trunc((args ->> 'threshold')::numeric)::bigint INTO forced FROM crdb_sim.feed_fault WHERE name = 'gc';
  INSERT INTO crdb_sim.gc AS g VALUES (relation, greatest(wanted, coalesce(forced, 0)))
    ON CONFLICT (table_id) DO UPDATE SET threshold_nanos = greatest(g.threshold_nanos, excluded.threshold_nanos)
    RETURNING threshold_nanos INTO reached;
  RETURN reached;
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.check_gc(relation bigint, nanos bigint) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  threshold bigint := crdb_sim.gc_threshold(relation);
BEGIN
  IF nanos <= threshold THEN
    PERFORM crdb_sim.fail('XXUUU', format('batch timestamp %s must be after replica GC threshold %s', crdb_sim.hlc_error_text(nanos), crdb_sim.hlc_error_text(threshold)));
  END IF;
END $$;

-- The versions of all tables as they were at a time.
CREATE OR REPLACE FUNCTION crdb_sim.tables_at(nanos bigint) RETURNS SETOF crdb_sim.tbl_version LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT DISTINCT ON (v.table_id) v.* FROM crdb_sim.tbl_version v JOIN crdb_sim.txn x USING (xid)
  WHERE x.hlc_nanos <= nanos ORDER BY v.table_id, v.version DESC $$;

-- A name of one to three parts as schema and table: `t`, `schema.t`, `database.t`, `database.schema.t`.
CREATE OR REPLACE FUNCTION crdb_sim.split_name(parts text[]) RETURNS text[] LANGUAGE sql STABLE AS $$
  SELECT CASE cardinality(parts)
    WHEN 1 THEN ARRAY['public', parts[1]]
    WHEN 2 THEN ARRAY[CASE WHEN parts[1] = current_database() AND NOT EXISTS (SELECT FROM pg_namespace WHERE nspname = parts[1]) THEN 'public' ELSE parts[1] END, parts[2]]
    ELSE ARRAY[parts[2], parts[3]] END $$;

CREATE OR REPLACE FUNCTION crdb_sim.typed_columns(columns jsonb, source text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg(format('(%s[%s])::%s AS %I', source, n, c ->> 'type', c ->> 'name'), ', ' ORDER BY n)
  FROM jsonb_array_elements(columns) WITH ORDINALITY AS e(c, n) $$;

CREATE OR REPLACE FUNCTION crdb_sim.outer_columns(columns jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT string_agg(CASE WHEN c ->> 'generated' = 'virtual' THEN format('(%s) AS %I', c ->> 'generated_expr', c ->> 'name') ELSE quote_ident(c ->> 'name') END, ', ' ORDER BY n)
  FROM jsonb_array_elements(columns) WITH ORDINALITY AS e(c, n) $$;

-- The table as it was, where its shape has changed since: the last entry of each key in the log.
CREATE OR REPLACE FUNCTION crdb_sim.replayed_source(t crdb_sim.tbl_version, nanos bigint) RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE
  base_version int;
  truncated bigint;
BEGIN
  SELECT max(v.version) INTO base_version FROM crdb_sim.tbl_version v
    WHERE v.table_id = t.table_id AND v.version <= t.version AND v.change NOT IN ('rename_table', 'rename_column', 'alter_other');
  SELECT coalesce(max(l.id), 0) INTO truncated FROM crdb_sim.log l JOIN crdb_sim.txn x USING (xid)
    WHERE l.table_id = t.table_id AND l.op = 't' AND x.hlc_nanos <= nanos;
  RETURN format('SELECT DISTINCT ON (l.key) l.after AS image FROM crdb_sim.log l JOIN crdb_sim.txn x ON x.xid = l.xid'
    ' WHERE l.table_id = %s AND l.version >= %s AND l.id > %s AND x.hlc_nanos <= %s ORDER BY l.key, x.hlc_nanos DESC, l.id DESC', t.table_id, base_version, truncated, nanos);
END $$;

-- The catalogue as it was: primary keys and columns. The index of a primary key is told by the version of its table. NULL for what has no past here.
CREATE OR REPLACE FUNCTION crdb_sim.catalogue_as_of(nanos bigint, name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE name
    WHEN 'pg_constraint' THEN format('(SELECT v.table_id::oid AS conrelid, ''p''::"char" AS contype, v.version::oid AS conindid,'
      ' (SELECT array_agg((c ->> ''attnum'')::int2 ORDER BY (c ->> ''pk_ordinal'')::int) FROM jsonb_array_elements(v.columns) c WHERE c ->> ''pk_ordinal'' IS NOT NULL) AS conkey'
      ' FROM crdb_sim.tables_at(%s) v WHERE NOT v.dropped)', nanos)
    WHEN 'pg_attribute' THEN format('(SELECT v.table_id::oid AS attrelid, (c ->> ''attnum'')::int2 AS attnum, (c ->> ''name'')::name AS attname'
      ' FROM crdb_sim.tables_at(%s) v CROSS JOIN LATERAL jsonb_array_elements(v.columns) c WHERE NOT v.dropped)', nanos)
  END $$;

-- SQL of a subquery with the rows that a table had at a time, NULL for what is no table of the user's.
CREATE OR REPLACE FUNCTION crdb_sim.as_of_source(nanos bigint, parts text[], reader text) RETURNS text LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  named text[] := crdb_sim.split_name(parts);
  t crdb_sim.tbl_version;
  live crdb_sim.tbl;
  key_match text;
BEGIN
  IF named[1] = 'pg_catalog' THEN RETURN crdb_sim.catalogue_as_of(nanos, named[2]); END IF;
  SELECT * INTO t FROM crdb_sim.tables_at(nanos) v WHERE v.schema = named[1] AND v.name = named[2] AND NOT v.dropped;
  IF t.table_id IS NULL THEN
    IF EXISTS (SELECT FROM crdb_sim.tbl WHERE schema = named[1] AND name = named[2]) THEN
      PERFORM crdb_sim.fail('42P01', format('relation "%s" does not exist', array_to_string(parts, '.')));
    END IF;
    RETURN NULL;
  END IF;
  PERFORM crdb_sim.check_gc(t.table_id, nanos);
  SELECT * INTO live FROM crdb_sim.tbl WHERE table_id = t.table_id;
  IF NOT live.dropped AND NOT has_table_privilege(reader, t.table_id::oid, 'SELECT') THEN
    PERFORM crdb_sim.fail('42501', format('user %s does not have SELECT privilege on relation %s', reader, t.name));
  END IF;
  IF live.version <> t.version OR EXISTS (SELECT FROM crdb_sim.log l JOIN crdb_sim.txn x USING (xid) WHERE l.table_id = t.table_id AND l.op = 't' AND x.hlc_nanos > nanos) THEN
    RETURN format('(SELECT %s FROM (SELECT %s FROM (%s) past WHERE image IS NOT NULL) typed)',
      crdb_sim.outer_columns(t.columns), crdb_sim.typed_columns(t.columns, 'image'), crdb_sim.replayed_source(t, nanos));
  END IF;
  -- The shape is today's: the rows of today, but for keys written since, of which the image before the first such write.
  SELECT string_agg(format('(c.key[%s])::%s = r.%I', c ->> 'pk_ordinal', c ->> 'type', c ->> 'name'), ' AND ') INTO key_match
    FROM jsonb_array_elements(t.columns) c WHERE c ->> 'pk_ordinal' IS NOT NULL;
  RETURN format('(WITH changed AS MATERIALIZED (SELECT DISTINCT ON (l.key) l.key, l.before FROM crdb_sim.txn x JOIN crdb_sim.log l ON l.xid = x.xid'
    ' WHERE x.hlc_nanos > %1$s AND l.table_id = %2$s ORDER BY l.key, x.hlc_nanos, l.id)'
    ' SELECT %3$s FROM %4$I.%5$I r WHERE NOT EXISTS (SELECT FROM changed c WHERE %6$s)'
    ' UNION ALL SELECT %7$s FROM (SELECT %8$s FROM changed WHERE before IS NOT NULL) typed)',
    nanos, t.table_id, (SELECT string_agg(format('r.%I', c ->> 'name'), ', ' ORDER BY n) FROM jsonb_array_elements(t.columns) WITH ORDINALITY e(c, n)),
    t.schema, t.name, key_match, crdb_sim.outer_columns(t.columns), crdb_sim.typed_columns(t.columns, 'before'));
END $$;

GRANT USAGE ON SCHEMA crdb_sim, crdb_internal TO PUBLIC;
GRANT SELECT ON crdb_sim.log, crdb_sim.txn TO PUBLIC;
