-- Every table gets triggers that write each changed row to crdb_sim.log. They are made by event triggers, so DDL from
-- anywhere keeps the log right.
CREATE OR REPLACE FUNCTION crdb_sim.crdb_type(type oid, typmod int) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE format_type(type, NULL)
    WHEN 'bigint' THEN 'INT8' WHEN 'integer' THEN 'INT4' WHEN 'smallint' THEN 'INT2' WHEN 'text' THEN 'STRING'
    WHEN 'character varying' THEN 'VARCHAR' || substring(format_type(type, typmod) FROM '\(.*\)')
    WHEN 'character' THEN upper(replace(format_type(type, typmod), 'character', 'CHAR'))
    WHEN 'bytea' THEN 'BYTES' WHEN 'boolean' THEN 'BOOL' WHEN 'double precision' THEN 'FLOAT8' WHEN 'real' THEN 'FLOAT4'
    WHEN 'numeric' THEN upper(replace(format_type(type, typmod), 'numeric', 'DECIMAL'))
    WHEN 'timestamp with time zone' THEN 'TIMESTAMPTZ' || coalesce(substring(format_type(type, typmod) FROM '\(.*\)'), '')
    WHEN 'timestamp without time zone' THEN 'TIMESTAMP' || coalesce(substring(format_type(type, typmod) FROM '\(.*\)'), '')
    WHEN 'time with time zone' THEN 'TIMETZ' WHEN 'time without time zone' THEN 'TIME'
    WHEN 'bit varying' THEN upper(replace(format_type(type, typmod), 'bit varying', 'VARBIT'))
    WHEN 'bigint[]' THEN 'INT8[]' WHEN 'integer[]' THEN 'INT4[]' WHEN 'text[]' THEN 'STRING[]' WHEN 'bytea[]' THEN 'BYTES[]'
    WHEN 'numeric[]' THEN 'DECIMAL[]' WHEN 'boolean[]' THEN 'BOOL[]' WHEN 'double precision[]' THEN 'FLOAT8[]'
    WHEN 'timestamp with time zone[]' THEN 'TIMESTAMPTZ[]' WHEN 'uuid[]' THEN 'UUID[]'
    ELSE CASE WHEN (SELECT typtype FROM pg_type WHERE oid = type) = 'e' THEN format_type(type, typmod) ELSE upper(format_type(type, typmod)) END
  END $$;
-- VARCHAR without a length is STRING to CockroachDB's catalogue; the concatenation above leaves NULL for it.
CREATE OR REPLACE FUNCTION crdb_sim.columns_of(relation oid) RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT coalesce(jsonb_agg(jsonb_build_object(
    'name', a.attname, 'type', format_type(a.atttypid, a.atttypmod), 'crdb_type', coalesce(crdb_sim.crdb_type(a.atttypid, a.atttypmod), 'VARCHAR'),
    'attnum', a.attnum, 'pk_ordinal', array_position(i.indkey::int2[], a.attnum) + 1, 'nullable', NOT a.attnotnull,
    'hidden', coalesce(col_description(a.attrelid, a.attnum) = 'crdb_sim: hidden', false),
    'generated', CASE a.attgenerated WHEN 's' THEN 'stored' WHEN 'v' THEN 'virtual' END,
    'generated_expr', CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END,
    'default_expr', CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END) ORDER BY a.attnum), '[]')
  FROM pg_attribute a
  LEFT JOIN pg_index i ON i.indrelid = a.attrelid AND i.indisprimary
  LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
  WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped $$;

-- Text of one column exactly as PostgreSQL prints it (the cast of an inet adds a mask that the output does not have).
CREATE OR REPLACE FUNCTION crdb_sim.text_expr(col jsonb, row_name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN col ->> 'generated' = 'virtual' THEN 'NULL::text'
    WHEN col ->> 'type' = 'inet' THEN format('CASE WHEN masklen(%1$s.%2$I) = (CASE family(%1$s.%2$I) WHEN 4 THEN 32 ELSE 128 END) THEN host(%1$s.%2$I) ELSE %1$s.%2$I::text END', row_name, col ->> 'name')
    ELSE format('%s.%I::text', row_name, col ->> 'name') END $$;

-- Text of a key column, the same for values that are equal.
CREATE OR REPLACE FUNCTION crdb_sim.key_expr(col jsonb, row_name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE
    WHEN col ->> 'type' LIKE 'numeric%' THEN format('trim_scale(%s.%I)::text', row_name, col ->> 'name')
    WHEN col ->> 'type' IN ('double precision', 'real') THEN format('coalesce(nullif(%1$s.%2$I::text, ''-0''), ''0'')', row_name, col ->> 'name')
    ELSE crdb_sim.text_expr(col, row_name) END $$;

CREATE OR REPLACE FUNCTION crdb_sim.key_array(columns jsonb, row_name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT 'ARRAY[' || string_agg(crdb_sim.key_expr(c, row_name), ', ' ORDER BY (c ->> 'pk_ordinal')::int) || ']::text[]'
  FROM jsonb_array_elements(columns) c WHERE c ->> 'pk_ordinal' IS NOT NULL $$;

CREATE OR REPLACE FUNCTION crdb_sim.row_array(columns jsonb, row_name text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT 'ARRAY[' || string_agg(crdb_sim.text_expr(c, row_name), ', ' ORDER BY n) || ']::text[]'
  FROM jsonb_array_elements(columns) WITH ORDINALITY AS e(c, n) $$;

-- The trigger function of one table at one version. A key that an UPDATE moves is a delete and an insert.
CREATE OR REPLACE FUNCTION crdb_sim.make_log_function(relation oid, version int, columns jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  pk_join text;
  some_key text;
BEGIN
  SELECT string_agg(format('n.%1$I = o.%1$I', c ->> 'name'), ' AND '), min(c ->> 'name') INTO pk_join, some_key
    FROM jsonb_array_elements(columns) c WHERE c ->> 'pk_ordinal' IS NOT NULL;
  EXECUTE format($f$
CREATE OR REPLACE FUNCTION crdb_sim.%1$I() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
  SET search_path = pg_catalog SET timezone = 'UTC' SET datestyle = 'ISO, MDY' SET intervalstyle = 'postgres'
  SET extra_float_digits = 1 SET bytea_output = 'hex' SET enable_nestloop = off AS $body$
DECLARE
  this_xid xid8 := pg_current_xact_id();
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO crdb_sim.log (xid, table_id, version, op, key, after)
      SELECT this_xid, %2$s, %3$s, 'i', %4$s, %5$s FROM new_rows n;
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO crdb_sim.log (xid, table_id, version, op, key, before)
      SELECT this_xid, %2$s, %3$s, 'd', %6$s, %7$s FROM old_rows o;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO crdb_sim.log (xid, table_id, version, op, key, before, after)
      SELECT this_xid, %2$s, %3$s, CASE WHEN o.%9$I IS NULL THEN 'i' WHEN n.%9$I IS NULL THEN 'd' ELSE 'u' END,
        CASE WHEN n.%9$I IS NULL THEN %6$s ELSE %4$s END,
        CASE WHEN o.%9$I IS NOT NULL THEN %7$s END, CASE WHEN n.%9$I IS NOT NULL THEN %5$s END
      FROM old_rows o FULL JOIN new_rows n ON %8$s;
  ELSE
    INSERT INTO crdb_sim.log (xid, table_id, version, op) VALUES (this_xid, %2$s, %3$s, 't');
  END IF;
  IF FOUND THEN PERFORM crdb_sim.touch_txn(); END IF;
  RETURN NULL;
END $body$ $f$, 'log_' || relation, relation, version,
    crdb_sim.key_array(columns, 'n'), crdb_sim.row_array(columns, 'n'),
    crdb_sim.key_array(columns, 'o'), crdb_sim.row_array(columns, 'o'), pk_join, some_key);
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.make_log_triggers(relation oid) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  spec record;
BEGIN
  FOR spec IN SELECT * FROM (VALUES ('insert', 'REFERENCING NEW TABLE AS new_rows'), ('delete', 'REFERENCING OLD TABLE AS old_rows'),
      ('update', 'REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows'), ('truncate', '')) AS v(event, refs)
  LOOP
    EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER %s ON %s %s FOR EACH STATEMENT EXECUTE FUNCTION crdb_sim.%I()',
      'crdb_sim_' || spec.event, spec.event, relation::regclass, spec.refs, 'log_' || relation);
    EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', relation::regclass, 'crdb_sim_' || spec.event);
  END LOOP;
END $$;
