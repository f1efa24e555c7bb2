-- Follows DDL: each change of a table's shape or name is a new version, at the HLC of its transaction.
CREATE OR REPLACE FUNCTION crdb_sim.classify_change(old_columns jsonb, new_columns jsonb) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  WITH o AS (SELECT c, c ->> 'attnum' AS n FROM jsonb_array_elements(old_columns) c),
       n AS (SELECT c, c ->> 'attnum' AS n FROM jsonb_array_elements(new_columns) c)
  SELECT CASE
    WHEN EXISTS (SELECT FROM o FULL JOIN n USING (n) WHERE (o.c -> 'pk_ordinal') IS DISTINCT FROM (n.c -> 'pk_ordinal') AND o.c IS NOT NULL AND n.c IS NOT NULL) THEN 'primary_key'
    WHEN EXISTS (SELECT FROM o WHERE n NOT IN (SELECT n FROM n)) THEN 'drop_column'
    WHEN EXISTS (SELECT FROM n WHERE n NOT IN (SELECT n FROM o) AND (c ->> 'default_expr' IS NOT NULL OR c ->> 'generated' = 'stored')) THEN 'add_column_default'
    WHEN EXISTS (SELECT FROM n WHERE n NOT IN (SELECT n FROM o)) THEN 'add_column'
    WHEN EXISTS (SELECT FROM o JOIN n USING (n) WHERE o.c ->> 'type' <> n.c ->> 'type') THEN 'alter_column'
    WHEN EXISTS (SELECT FROM o JOIN n USING (n) WHERE o.c ->> 'name' <> n.c ->> 'name') THEN 'rename_column'
    WHEN old_columns <> new_columns THEN 'alter_other'
    ELSE 'rename_table' END $$;

CREATE OR REPLACE FUNCTION crdb_sim.add_version(relation bigint, new_schema text, new_name text, new_columns jsonb, change text, is_dropped boolean) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
  next_version int;
BEGIN
  SELECT coalesce(max(v.version), 0) + 1 INTO next_version FROM crdb_sim.tbl_version v WHERE v.table_id = relation;
  INSERT INTO crdb_sim.tbl (table_id, schema, name, columns, version, dropped) VALUES (relation, new_schema, new_name, new_columns, next_version, is_dropped)
    ON CONFLICT (table_id) DO UPDATE SET schema = excluded.schema, name = excluded.name, columns = excluded.columns, version = excluded.version, dropped = excluded.dropped;
  INSERT INTO crdb_sim.tbl_version VALUES (relation, next_version, pg_current_xact_id(), new_schema, new_name, new_columns, change, is_dropped);
  PERFORM crdb_sim.touch_txn();
  RETURN next_version;
END $$;

-- A table without a primary key gets CockroachDB's rowid column.
CREATE OR REPLACE FUNCTION crdb_sim.ensure_primary_key(relation oid) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF EXISTS (SELECT FROM pg_index WHERE indrelid = relation AND indisprimary) THEN RETURN; END IF;
  EXECUTE format('ALTER TABLE %s ADD COLUMN rowid int8 NOT NULL DEFAULT unique_rowid() PRIMARY KEY', relation::regclass);
  EXECUTE format('COMMENT ON COLUMN %s.rowid IS %L', relation::regclass, 'crdb_sim: hidden');
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.track_table(relation oid) RETURNS void LANGUAGE plpgsql
  SET timezone = 'UTC' SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres' SET extra_float_digits = 1 SET bytea_output = 'hex' AS $$
DECLARE
  known crdb_sim.tbl;
  now_columns jsonb;
  now_schema text;
  now_name text;
  change text;
  new_version int;
BEGIN
  PERFORM crdb_sim.ensure_primary_key(relation);
  SELECT n.nspname, c.relname INTO now_schema, now_name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = relation;
  now_columns := crdb_sim.columns_of(relation);
  SELECT * INTO known FROM crdb_sim.tbl WHERE table_id = relation;
  IF known.table_id IS NULL THEN change := 'create';
  ELSIF known.columns = now_columns AND known.schema = now_schema AND known.name = now_name THEN RETURN;
  ELSE change := crdb_sim.classify_change(known.columns, now_columns);
  END IF;
  new_version := crdb_sim.add_version(relation::bigint, now_schema, now_name, now_columns, change, false);
  PERFORM crdb_sim.make_log_function(relation, new_version, now_columns);
  IF change = 'create' THEN PERFORM crdb_sim.make_log_triggers(relation); END IF;
  IF change NOT IN ('rename_table', 'rename_column', 'alter_other') THEN
    EXECUTE format('INSERT INTO crdb_sim.log (xid, table_id, version, op, key, after) SELECT pg_current_xact_id(), %s, %s, ''b'', %s, %s FROM %s r',
      relation, new_version, crdb_sim.key_array(now_columns, 'r'), crdb_sim.row_array(now_columns, 'r'), relation::regclass);
  END IF;
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.on_ddl() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  command record;
BEGIN
  IF current_setting('crdb_sim.tracking', true) = 'on' THEN RETURN; END IF;
  PERFORM set_config('crdb_sim.tracking', 'on', true);
  FOR command IN SELECT DISTINCT c.oid FROM pg_event_trigger_ddl_commands() d JOIN pg_class c ON c.oid = d.objid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE d.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
        AND n.nspname NOT IN ('crdb_sim', 'crdb_internal', 'pg_catalog', 'information_schema')
  LOOP
    PERFORM crdb_sim.track_table(command.oid);
  END LOOP;
  PERFORM set_config('crdb_sim.tracking', 'off', true);
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.on_drop() RETURNS event_trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  gone crdb_sim.tbl;
BEGIN
  FOR gone IN SELECT t.* FROM pg_event_trigger_dropped_objects() d JOIN crdb_sim.tbl t ON t.table_id = d.objid AND d.object_type = 'table' WHERE NOT t.dropped LOOP
    PERFORM crdb_sim.add_version(gone.table_id, gone.schema, gone.name, gone.columns, 'drop', true);
    EXECUTE format('DROP FUNCTION IF EXISTS crdb_sim.%I() CASCADE', 'log_' || gone.table_id);
  END LOOP;
END $$;

DROP EVENT TRIGGER IF EXISTS crdb_sim_ddl;
CREATE EVENT TRIGGER crdb_sim_ddl ON ddl_command_end
  WHEN TAG IN ('CREATE TABLE', 'CREATE TABLE AS', 'SELECT INTO', 'ALTER TABLE', 'IMPORT FOREIGN SCHEMA') EXECUTE FUNCTION crdb_sim.on_ddl();
DROP EVENT TRIGGER IF EXISTS crdb_sim_drop;
CREATE EVENT TRIGGER crdb_sim_drop ON sql_drop EXECUTE FUNCTION crdb_sim.on_drop();
-- CockroachDB lets every user create in public.
GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC;
