-- Cluster settings and zones, with CockroachDB's names, defaults and texts.
INSERT INTO crdb_sim.setting (name, value, default_value, setting_type, description)
  SELECT name, default_value, default_value, setting_type, description FROM (VALUES
    ('kv.rangefeed.enabled', 'false', 'b', 'if set, rangefeed registration is enabled'),
    ('kv.rangefeed.closed_timestamp_refresh_interval', '3s', 'd', 'the interval at which closed-timestamp updates are delivered to rangefeeds; set to 0 to use kv.closed_timestamp.side_transport_interval'),
    ('kv.closed_timestamp.target_duration', '3s', 'd', 'if nonzero, attempt to provide closed timestamp notifications for timestamps trailing cluster time by approximately this duration'),
    ('kv.closed_timestamp.side_transport_interval', '200ms', 'd', 'the interval at which the closed timestamp side-transport attempts to advance each range''s closed timestamp; set to 0 to disable the side-transport'),
    ('kv.rangefeed.concurrent_catchup_iterators', '16', 'i', 'number of rangefeeds catchup iterators a store will allow concurrently before queueing'),
    ('changefeed.protect_timestamp.max_age', '96h', 'd', 'fail the changefeed if the protected timestamp age exceeds this threshold; 0 disables expiration'),
    ('changefeed.protect_timestamp_interval', '10m', 'd', 'controls how often the changefeed forwards its protected timestamp to the resolved timestamp'),
    ('changefeed.frontier_checkpoint_frequency', '10m', 'd', 'controls the frequency with which span level checkpoints will be written; if 0, disabled'),
    ('changefeed.min_highwater_advance', '0s', 'd', 'minimum amount of time the changefeed high water mark must advance for it to be eligible for checkpointing'),
    ('changefeed.aggregator.flush_jitter', '0.1', 'f', 'jitter aggregator flushes as a fraction of min_checkpoint_frequency'),
    ('changefeed.sink_io_workers', '0', 'i', 'the number of workers used by changefeeds when sending requests to the sink (currently the batching versions of webhook, pubsub, and kafka sinks that require the new_<sink>_sink_enabled setting): <0 disables, 0 assigns a reasonable default, >0 assigns the setting value'),
    ('changefeed.permissions.require_external_connection_sink.enabled', 'false', 'b', 'if enabled, this settings restricts users with the CHANGEFEED privilege to create changefeeds with external connection sinks only'),
    ('cluster.organization', '', 's', 'organization name'),
    ('enterprise.license', '', 's', 'the encoded cluster license'),
    ('jobs.retention_time', '336h', 'd', 'the amount of time for which records for completed jobs are retained'),
    ('server.max_connections_per_gateway', '-1', 'i', 'the maximum number of SQL connections per gateway allowed at a given time (note: this will only limit future connection attempts and will not affect already established connections)'),
    ('sql.defaults.default_int_size', '8', 'i', 'the size, in bytes, of an INT type'),
    ('version', '25.2', 'm', 'set the active cluster version in the format ''<major>.<minor>''')) AS s(name, default_value, setting_type, description)
  ON CONFLICT (name) DO NOTHING;

-- Durations are held as Go writes them and shown as an interval.
CREATE OR REPLACE FUNCTION crdb_sim.shown_duration(value text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT regexp_replace(regexp_replace(to_char((crdb_sim.duration_ms(value) || ' ms')::interval, 'HH24:MI:SS.US'), '(\.\d*?)0+$', '\1'), '\.$', '') $$;

CREATE OR REPLACE FUNCTION crdb_sim.go_duration(given text) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
  ms numeric;
BEGIN
  BEGIN
    ms := CASE WHEN given ~ '[a-zµ]' AND given !~ ' ' THEN crdb_sim.duration_ms(given) ELSE extract(epoch FROM given::interval) * 1000 END;
  EXCEPTION WHEN OTHERS THEN
    PERFORM crdb_sim.fail('22023', format('could not parse "%s" as type interval', given));
  END;
  RETURN trim_scale(ms) || 'ms';
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.require_setting(wanted text) RETURNS crdb_sim.setting LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE
  found_setting crdb_sim.setting;
BEGIN
  IF NOT (crdb_sim.has_system_privilege(session_user, 'MODIFYCLUSTERSETTING') OR crdb_sim.has_system_privilege(session_user, 'VIEWCLUSTERSETTING')) THEN
    PERFORM crdb_sim.fail('42501', 'only users with MODIFYCLUSTERSETTING or VIEWCLUSTERSETTING privileges are allowed to show cluster settings');
  END IF;
  SELECT * INTO found_setting FROM crdb_sim.setting WHERE name = lower(wanted);
  IF found_setting.name IS NULL THEN PERFORM crdb_sim.fail('XXUUU', format('unknown setting: "%s"', lower(wanted))); END IF;
  RETURN found_setting;
END $$;

-- value NULL: back to the default.
CREATE OR REPLACE PROCEDURE crdb_sim.set_cluster_setting(wanted text, new_value text) LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  s crdb_sim.setting;
BEGIN
  SELECT * INTO s FROM crdb_sim.setting WHERE name = lower(wanted);
  IF s.name IS NULL THEN PERFORM crdb_sim.fail('XXUUU', format('unknown cluster setting ''%s''', lower(wanted))); END IF;
  IF NOT crdb_sim.has_system_privilege(session_user, 'MODIFYCLUSTERSETTING') THEN
    PERFORM crdb_sim.fail('42501', format('only users with the MODIFYCLUSTERSETTING privilege are allowed to set cluster setting ''%s''', s.name));
  END IF;
  IF new_value IS NOT NULL THEN
    new_value := CASE s.setting_type
      WHEN 'b' THEN CASE WHEN lower(new_value) IN ('true', 'on', 'yes', '1', 't') THEN 'true' WHEN lower(new_value) IN ('false', 'off', 'no', '0', 'f') THEN 'false' END
      WHEN 'd' THEN crdb_sim.go_duration(new_value)
      WHEN 'i' THEN CASE WHEN new_value ~ '^-?\d+$' THEN new_value END
      ELSE new_value END;
    IF new_value IS NULL THEN PERFORM crdb_sim.fail('22023', format('argument of "%s" has the wrong type', s.name)); END IF;
  END IF;
  UPDATE crdb_sim.setting SET value = coalesce(new_value, default_value) WHERE name = s.name;
  PERFORM pg_notify('crdb_sim_setting', s.name);
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.show_cluster_setting(wanted text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE s.setting_type WHEN 'd' THEN crdb_sim.shown_duration(s.value) ELSE s.value END FROM crdb_sim.require_setting(wanted) s $$;

CREATE OR REPLACE VIEW crdb_internal.cluster_settings AS
  SELECT name AS variable, CASE WHEN setting_type = 'd' THEN crdb_sim.shown_duration(value) ELSE value END AS value, setting_type AS type, true AS public, description,
    CASE WHEN setting_type = 'd' THEN crdb_sim.shown_duration(default_value) ELSE default_value END AS default_value,
    CASE WHEN value = default_value THEN 'default' ELSE 'override' END AS origin, name AS key
  FROM crdb_sim.setting;
GRANT SELECT ON crdb_internal.cluster_settings, crdb_sim.setting TO PUBLIC;

-- zone is {variable: value}; target as in crdb_sim.zone. A value of null goes back to what is inherited.
CREATE OR REPLACE PROCEDURE crdb_sim.configure_zone(kind text, names text[], zone jsonb) LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
  entry record;
  target_name text := crdb_sim.zone_target(kind, names);
BEGIN
  IF kind = 'TABLE' AND to_regclass(format('%I.%I', split_part(target_name, '.', 1), split_part(target_name, '.', 2))) IS NULL THEN
    PERFORM crdb_sim.fail('42P01', format('relation "%s" does not exist', array_to_string(names, '.')));
  END IF;
  FOR entry IN SELECT key, value FROM jsonb_each_text(zone) LOOP
    IF entry.key NOT IN ('gc.ttlseconds', 'range_min_bytes', 'range_max_bytes', 'num_replicas', 'num_voters', 'constraints', 'lease_preferences', 'voter_constraints') THEN
      PERFORM crdb_sim.fail('22023', format('unsupported zone config parameter: "%s"', entry.key));
    END IF;
    DELETE FROM crdb_sim.zone z WHERE z.target = target_name AND z.variable = entry.key;
    IF entry.value IS NOT NULL THEN INSERT INTO crdb_sim.zone VALUES (target_name, entry.key, entry.value); END IF;
  END LOOP;
  IF zone = '{}' THEN DELETE FROM crdb_sim.zone z WHERE z.target = target_name; END IF;
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.zone_target(kind text, names text[]) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE kind WHEN 'TABLE' THEN array_to_string(crdb_sim.split_name(names), '.') WHEN 'DATABASE' THEN 'db' ELSE '' END $$;

CREATE OR REPLACE FUNCTION crdb_sim.show_zone(kind text, names text[]) RETURNS TABLE (target text, raw_config_sql text) LANGUAGE plpgsql STABLE SECURITY DEFINER AS $$
DECLARE
  own text := crdb_sim.zone_target(kind, names);
  holder text;
  title text;
  shown text;
BEGIN
  SELECT z.target INTO holder FROM crdb_sim.zone z WHERE z.target IN (own, CASE WHEN kind = 'TABLE' THEN 'db' END) ORDER BY z.target = own DESC LIMIT 1;
  title := CASE WHEN holder IS NULL OR holder = '' THEN 'RANGE default' WHEN holder = 'db' THEN 'DATABASE ' || quote_ident(current_database())
    ELSE format('TABLE %I.%s', current_database(), holder) END;
  WITH defaults(variable, value, n) AS (VALUES ('range_min_bytes', '134217728', 1), ('range_max_bytes', '536870912', 2), ('gc.ttlseconds', '14400', 3), ('num_replicas', '3', 4), ('constraints', '''[]''', 5), ('lease_preferences', '''[]''', 6))
  SELECT string_agg(format(E'\t%s = %s', d.variable, coalesce(
      (SELECT z.value FROM crdb_sim.zone z WHERE z.variable = d.variable AND z.target IN (own, 'db', '') AND (kind <> 'RANGE' OR z.target = '') ORDER BY z.target = own DESC, z.target = 'db' DESC LIMIT 1), d.value)), E',\n' ORDER BY n)
    INTO shown FROM defaults d;
  RETURN QUERY SELECT title, format(E'ALTER %s CONFIGURE ZONE USING\n%s', title, shown);
END $$;
