-- crdb_internal, SHOW TABLES and the like.
CREATE OR REPLACE FUNCTION crdb_internal.cluster_id() RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER AS 'SELECT cluster_id FROM crdb_sim.cluster';
CREATE OR REPLACE FUNCTION crdb_internal.node_id() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 1::bigint';
CREATE OR REPLACE FUNCTION crdb_internal.node_executable_version() RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT '25.2' $$;
CREATE OR REPLACE FUNCTION crdb_internal.is_admin() RETURNS boolean LANGUAGE sql STABLE AS 'SELECT crdb_sim.is_admin(session_user::text)';
CREATE OR REPLACE FUNCTION crdb_sim.version() RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT 'CockroachDB CCL v25.2.0 (simulator over PostgreSQL, built for Failback, go0)' $$;
-- Whether the client has a secured connection is never asked here: every connection is plain.
CREATE OR REPLACE VIEW crdb_internal.gossip_nodes AS SELECT 1::bigint AS node_id, '127.0.0.1'::text AS address, true AS is_live;

CREATE OR REPLACE VIEW crdb_internal.tables AS
  SELECT t.table_id, 100::bigint AS parent_id, t.name, current_database()::text AS database_name, t.version::bigint AS version,
    to_timestamp(x.hlc_nanos / 1000000000.0)::timestamp AS mod_time, crdb_sim.hlc_text(x.hlc_nanos)::numeric AS mod_time_logical,
    CASE WHEN t.dropped THEN 'DROP' ELSE 'PUBLIC' END AS state, CASE WHEN t.dropped THEN to_timestamp(x.hlc_nanos / 1000000000.0)::timestamp END AS drop_time, t.schema AS schema_name
  FROM crdb_sim.tbl t JOIN crdb_sim.tbl_version v USING (table_id, version) JOIN crdb_sim.txn x ON x.xid = v.xid;

CREATE OR REPLACE VIEW crdb_internal.zones AS
  SELECT CASE WHEN target LIKE '%.%' THEN 'TABLE ' || current_database() || '.' || target WHEN target = 'db' THEN 'DATABASE ' || current_database() ELSE 'RANGE default' END AS target, variable, value FROM crdb_sim.zone;

CREATE OR REPLACE FUNCTION crdb_sim.crdb_type_of(wanted_schema text, wanted_table text, wanted_column text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT c ->> 'crdb_type' FROM crdb_sim.tbl t, jsonb_array_elements(t.columns) c
  WHERE NOT t.dropped AND t.schema = wanted_schema AND t.name = wanted_table AND c ->> 'name' = wanted_column $$;

CREATE OR REPLACE VIEW crdb_sim.information_schema_columns AS
  SELECT c.*, crdb_sim.crdb_type_of(c.table_schema, c.table_name, c.column_name) AS crdb_sql_type,
    CASE WHEN col_description(format('%I.%I', c.table_schema, c.table_name)::regclass, c.ordinal_position::int) = 'crdb_sim: hidden' THEN 'YES' ELSE 'NO' END AS is_hidden
  FROM information_schema.columns c WHERE c.table_schema NOT IN ('crdb_sim');

CREATE OR REPLACE FUNCTION crdb_sim.show_columns(parts text[]) RETURNS TABLE (column_name text, data_type text, is_nullable boolean, column_default text, generation_expression text, indices text[], is_hidden boolean) LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT c ->> 'name', c ->> 'crdb_type', (c ->> 'nullable')::boolean, c ->> 'default_expr', coalesce(c ->> 'generated_expr', ''),
    ARRAY(SELECT i.indexrelid::regclass::text FROM pg_index i WHERE i.indrelid = t.table_id::oid AND (c ->> 'attnum')::int2 = ANY (i.indkey::int2[]) ORDER BY 1), (c ->> 'hidden')::boolean
  FROM crdb_sim.tbl t, jsonb_array_elements(t.columns) WITH ORDINALITY AS e(c, n)
  WHERE (t.schema, t.name) = ((crdb_sim.split_name(parts))[1], (crdb_sim.split_name(parts))[2]) AND NOT t.dropped ORDER BY n $$;

CREATE OR REPLACE FUNCTION crdb_sim.show_tables(wanted_schema text) RETURNS TABLE (schema_name text, table_name text, type text, owner text, estimated_row_count bigint, locality text) LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT t.schema, t.name, 'table', c.relowner::regrole::text, greatest(c.reltuples, 0)::bigint, NULL::text
  FROM crdb_sim.tbl t JOIN pg_class c ON c.oid = t.table_id::oid WHERE NOT t.dropped AND (wanted_schema IS NULL OR t.schema = wanted_schema) ORDER BY 1, 2 $$;

CREATE OR REPLACE FUNCTION crdb_sim.show_create(parts text[]) RETURNS TABLE (table_name text, create_statement text) LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE
  named text[] := crdb_sim.split_name(parts);
  t crdb_sim.tbl;
BEGIN
  SELECT * INTO t FROM crdb_sim.tbl WHERE schema = named[1] AND name = named[2] AND NOT dropped;
  IF t.table_id IS NULL THEN PERFORM crdb_sim.fail('42P01', format('relation "%s" does not exist', array_to_string(parts, '.'))); END IF;
  RETURN QUERY SELECT t.name, format(E'CREATE TABLE %I.%I (\n%s,\n\tCONSTRAINT %I PRIMARY KEY (%s)\n)', t.schema, t.name,
    string_agg(format(E'\t%I %s%s%s', c ->> 'name', c ->> 'crdb_type', CASE WHEN (c ->> 'nullable')::boolean THEN ' NULL' ELSE ' NOT NULL' END,
      CASE c ->> 'generated' WHEN 'stored' THEN format(' AS (%s) STORED', c ->> 'generated_expr') WHEN 'virtual' THEN format(' AS (%s) VIRTUAL', c ->> 'generated_expr')
        ELSE coalesce(' DEFAULT ' || (c ->> 'default_expr'), '') END), E',\n' ORDER BY (c ->> 'attnum')::int),
    t.name || '_pkey', string_agg(format('%I ASC', c ->> 'name'), ', ' ORDER BY (c ->> 'pk_ordinal')::int) FILTER (WHERE c ->> 'pk_ordinal' IS NOT NULL))
    FROM jsonb_array_elements(t.columns) c;
END $$;

-- Columns of the primary key and of the table, for UPSERT.
CREATE OR REPLACE FUNCTION crdb_sim.upsert_shape(parts text[]) RETURNS TABLE (key_columns text[], all_columns text[]) LANGUAGE sql STABLE SECURITY DEFINER AS $$
  SELECT ARRAY(SELECT c ->> 'name' FROM jsonb_array_elements(t.columns) c WHERE c ->> 'pk_ordinal' IS NOT NULL ORDER BY (c ->> 'pk_ordinal')::int),
    ARRAY(SELECT c ->> 'name' FROM jsonb_array_elements(t.columns) c WHERE c ->> 'generated' IS NULL AND NOT (c ->> 'hidden')::boolean ORDER BY (c ->> 'attnum')::int)
  FROM crdb_sim.tbl t WHERE (t.schema, t.name) = ((crdb_sim.split_name(parts))[1], (crdb_sim.split_name(parts))[2]) AND NOT t.dropped $$;

CREATE OR REPLACE PROCEDURE crdb_sim.alter_primary_key(parts text[], key_columns text[]) LANGUAGE plpgsql AS $$
DECLARE
  relation regclass := format('%I.%I', (crdb_sim.split_name(parts))[1], (crdb_sim.split_name(parts))[2])::regclass;
  old_name text := (SELECT conname FROM pg_constraint WHERE conrelid = relation AND contype = 'p');
BEGIN
  EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I, ADD CONSTRAINT %I PRIMARY KEY (%s)', relation, old_name, old_name, (SELECT string_agg(quote_ident(c), ', ') FROM unnest(key_columns) c));
END $$;

-- History protection: a job that holds the GC threshold back until it expires or is cancelled.
CREATE OR REPLACE FUNCTION crdb_internal.protect_mvcc_history(at numeric, protect_for interval, description text) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  new_id bigint := unique_rowid();
  relation bigint;
BEGIN
  IF NOT crdb_sim.has_system_privilege(session_user, 'REPLICATION') THEN PERFORM crdb_sim.fail('42501', format('user %s does not have REPLICATION system privilege', session_user)); END IF;
  FOR relation IN SELECT table_id FROM crdb_sim.tbl WHERE NOT dropped LOOP PERFORM crdb_sim.check_gc(relation, trunc(at)::bigint); END LOOP;
  INSERT INTO crdb_sim.job (job_id, description, user_name, status, started, job_type) VALUES (new_id, 'History Retention for ' || description, session_user, 'running', clock_timestamp(), 'HISTORY RETENTION');
  INSERT INTO crdb_sim.history_protection VALUES (new_id, trunc(at)::bigint, clock_timestamp() + protect_for, protect_for);
  RETURN new_id;
END $$;
CREATE OR REPLACE FUNCTION crdb_internal.extend_mvcc_history_protection(id bigint) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  UPDATE crdb_sim.history_protection p SET expires = clock_timestamp() + span FROM crdb_sim.job j
    WHERE p.job_id = id AND j.job_id = id AND j.status = 'running' AND p.expires > clock_timestamp();
  IF NOT FOUND THEN PERFORM crdb_sim.fail('XXUUU', format('job with ID %s does not exist', id)); END IF;
END $$;
GRANT SELECT ON crdb_internal.tables, crdb_internal.zones, crdb_sim.information_schema_columns, crdb_internal.gossip_nodes TO PUBLIC;
