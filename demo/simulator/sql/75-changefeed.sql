-- CREATE CHANGEFEED: what is checked when the statement runs, in CockroachDB's order and words. Nothing is sent to the sink.

CREATE OR REPLACE FUNCTION crdb_sim.resolve_target(parts text[], nanos bigint, at_cursor boolean, full_name boolean) RETURNS jsonb LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE
  named text[] := crdb_sim.split_name(parts);
  t crdb_sim.tbl_version;
  hint text := CASE WHEN at_cursor THEN format('do the targets exist at the specified cursor time %s?', crdb_sim.hlc_error_text(nanos)) ELSE '' END;
  kind "char";
BEGIN
  IF named[1] IN ('system', 'crdb_internal') THEN PERFORM crdb_sim.fail('XXUUU', 'CHANGEFEEDs are not supported on system tables'); END IF;
  IF nanos < (SELECT created_nanos FROM crdb_sim.cluster) THEN
    PERFORM crdb_sim.fail('3D000', format('failed to resolve targets in the CHANGEFEED stmt: database "%s" does not exist', current_database()), hint);
  END IF;
  SELECT c.relkind INTO kind FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = named[1] AND c.relname = named[2];
  IF kind IN ('v', 'm') THEN PERFORM crdb_sim.fail('XXUUU', format('CHANGEFEED cannot target views: %s', named[2])); END IF;
  IF kind = 'S' THEN PERFORM crdb_sim.fail('XXUUU', format('CHANGEFEED cannot target sequences: %s', named[2])); END IF;
  SELECT * INTO t FROM crdb_sim.tables_at(nanos) v WHERE v.schema = named[1] AND v.name = named[2] AND NOT v.dropped;
  IF t.table_id IS NULL THEN
    PERFORM crdb_sim.fail('XXUUU', format('failed to resolve targets in the CHANGEFEED stmt: table "%s" does not exist', array_to_string(parts, '.')), hint);
  END IF;
  RETURN jsonb_build_object('table_id', t.table_id, 'name', t.name, 'full_name', format('%s.%s.%s', current_database(), t.schema, t.name),
    'topic', CASE WHEN full_name THEN format('%I.%I.%I', current_database(), t.schema, t.name) ELSE t.name END);
END $$;

-- Everything CREATE decides, before a job exists: {targets, options, cursor_nanos}. No cursor: the feed scans first.
-- sink_refusal: what its sink says against it, or null.
CREATE OR REPLACE FUNCTION crdb_sim.plan_changefeed(names jsonb, sink text, sink_refusal text, options jsonb, as_user text) RETURNS jsonb LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  now_nanos bigint := crdb_sim.resolve_now();
  cursor_nanos bigint;
  targets jsonb;
BEGIN
  PERFORM crdb_sim.check_options(options);
  IF options ? 'cursor' THEN cursor_nanos := crdb_sim.parse_time(options ->> 'cursor', now_nanos); END IF;
  SELECT jsonb_agg(DISTINCT crdb_sim.resolve_target(ARRAY(SELECT jsonb_array_elements_text(n)), coalesce(cursor_nanos, now_nanos), cursor_nanos IS NOT NULL, options ? 'full_table_name'))
    INTO targets FROM jsonb_array_elements(names) n;
  PERFORM crdb_sim.authorize_changefeed(as_user, sink, ARRAY(SELECT (t ->> 'table_id')::bigint FROM jsonb_array_elements(targets) t));
  IF (SELECT value FROM crdb_sim.setting WHERE name = 'kv.rangefeed.enabled') <> 'true' THEN
    PERFORM crdb_sim.fail('XXUUU', 'rangefeeds require the kv.rangefeed.enabled setting. See https://www.cockroachlabs.com/docs/v25.2/create-and-configure-changefeeds.html#enable-rangefeeds');
  END IF;
  IF sink IS NOT NULL THEN
    IF EXISTS (SELECT FROM crdb_sim.feed_fault WHERE name = 'no_license') THEN
      PERFORM crdb_sim.fail('XXC02', format('use of CHANGEFEED requires an enterprise license. see https://cockroachlabs.com/pricing?cluster=%s for details on how to enable enterprise features', (SELECT cluster_id FROM crdb_sim.cluster)));
    END IF;
    IF sink_refusal IS NOT NULL THEN PERFORM crdb_sim.fail('XXUUU', sink_refusal); END IF;
  END IF;
  -- What the engine is to find in crdb_sim.gc is as of now.
  PERFORM crdb_sim.gc_threshold((t ->> 'table_id')::bigint) FROM jsonb_array_elements(targets) t;
  -- Without a cursor and without a scan the feed begins at the statement.
  IF options ->> 'initial_scan' = 'no' OR options ? 'no_initial_scan' THEN cursor_nanos := coalesce(cursor_nanos, now_nanos); END IF;
  RETURN jsonb_build_object('targets', targets, 'options', options, 'cursor_nanos', cursor_nanos::text);
END $$;

-- The statement as CockroachDB lists it, without secrets.
CREATE OR REPLACE FUNCTION crdb_sim.describe_changefeed(names jsonb, sink text, options jsonb) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT format('CREATE CHANGEFEED FOR %s INTO %L%s',
    (SELECT string_agg('TABLE ' || (SELECT string_agg(quote_ident(p), '.') FROM jsonb_array_elements_text(n) p), ', ') FROM jsonb_array_elements(names) n),
    crdb_sim.redact_uri(sink),
    coalesce((SELECT ' WITH OPTIONS (' || string_agg(key || coalesce(' = ' || quote_literal(CASE key WHEN 'webhook_auth_header' THEN 'redacted' ELSE value END), ''), ', ' ORDER BY key) || ')' FROM jsonb_each_text(options)), '')) $$;

-- options: {name: value or null}; names: [["t"], ["schema","t"]]. Returns the job id.
CREATE OR REPLACE FUNCTION crdb_sim.create_changefeed(names jsonb, sink text, sink_refusal text, options jsonb) RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  plan jsonb := crdb_sim.plan_changefeed(names, sink, sink_refusal, options, session_user::text);
  new_id bigint := unique_rowid();
BEGIN
  INSERT INTO crdb_sim.job (job_id, description, user_name, status, started, sink_uri, targets, options, cursor_nanos, cursor_logical)
    VALUES (new_id, crdb_sim.describe_changefeed(names, sink, options), session_user, 'running', clock_timestamp(), sink, plan -> 'targets', options, (plan ->> 'cursor_nanos')::bigint, CASE WHEN plan ->> 'cursor_nanos' IS NOT NULL THEN 0 END);
  PERFORM pg_notify('crdb_sim_job', new_id::text);
  RETURN new_id;
END $$;
