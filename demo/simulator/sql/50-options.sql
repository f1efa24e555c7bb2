-- Options of CREATE CHANGEFEED: what is refused, in CockroachDB's order and words. What its sink refuses is feeds/sink-check.ts.

-- One row per option: does it take a value (yes, no, optional), and the values allowed where they are a list. Envelopes and formats
-- of newer versions that are not made here are refused in the words of a version that does not know them.
CREATE OR REPLACE FUNCTION crdb_sim.known_options() RETURNS TABLE (option text, takes text, allowed text[]) LANGUAGE sql IMMUTABLE AS $$
  SELECT * FROM (VALUES
    ('updated', 'no', NULL::text[]), ('mvcc_timestamp', 'no', NULL), ('diff', 'no', NULL), ('key_in_value', 'no', NULL), ('topic_in_value', 'no', NULL),
    ('full_table_name', 'no', NULL), ('split_column_families', 'no', NULL), ('unordered', 'no', NULL), ('no_initial_scan', 'no', NULL),
    ('initial_scan_only', 'no', NULL), ('protect_data_from_gc_on_pause', 'no', NULL), ('encode_json_value_null_as_object', 'no', NULL),
    ('ignore_disable_changefeed_replication', 'no', NULL), ('virtual_columns', 'yes', ARRAY['omitted', 'null']),
    ('resolved', 'optional', NULL), ('initial_scan', 'optional', ARRAY['yes', 'no', 'only']), ('cursor', 'yes', NULL), ('end_time', 'yes', NULL),
    ('min_checkpoint_frequency', 'yes', NULL), ('envelope', 'yes', ARRAY['wrapped', 'key_only', 'row', 'deprecated_row']),
    ('format', 'yes', ARRAY['json', 'avro']), ('compression', 'yes', ARRAY['gzip', 'zstd', '']), ('on_error', 'yes', ARRAY['fail', 'pause']),
    ('schema_change_policy', 'yes', ARRAY['backfill', 'nobackfill', 'stop', 'ignore']), ('schema_change_events', 'yes', ARRAY['default', 'column_changes']),
    ('webhook_auth_header', 'yes', NULL), ('webhook_client_timeout', 'yes', NULL), ('webhook_sink_config', 'yes', NULL), ('kafka_sink_config', 'yes', NULL),
    ('pubsub_sink_config', 'yes', NULL), ('metrics_label', 'yes', NULL), ('lagging_ranges_threshold', 'yes', NULL), ('lagging_ranges_polling_interval', 'yes', NULL),
    ('gc_protect_expires_after', 'yes', NULL), ('execution_locality', 'yes', NULL), ('headers_json_column_name', 'yes', NULL), ('enriched_properties', 'yes', NULL),
    ('range_distribution_strategy', 'yes', ARRAY['default', 'balanced_simple']), ('confluent_schema_registry', 'yes', NULL), ('avro_schema_prefix', 'yes', NULL),
    ('key_column', 'yes', NULL), ('schema_locked', 'no', NULL)) AS o $$;

-- Milliseconds of a Go duration (250ms, 1m30s, 0); raises Go's own error.
CREATE OR REPLACE FUNCTION crdb_sim.duration_ms(value text) RETURNS numeric LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  sign numeric := CASE WHEN value LIKE '-%' THEN -1 ELSE 1 END;
  total numeric := 0;
  part text[];
BEGIN
  IF value ~ '^[+-]?0$' THEN RETURN 0; END IF;
  IF value ~ '^[+-]?((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))*(\d+\.?\d*|\.\d+)$' THEN
    PERFORM crdb_sim.fail('XXUUU', format('time: missing unit in duration %s', to_json(value)));
  END IF;
  IF value !~ '^[+-]?((\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h))+$' THEN
    PERFORM crdb_sim.fail('XXUUU', format('time: invalid duration %s', to_json(value)));
  END IF;
  FOR part IN SELECT regexp_matches(value, '(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)', 'g') LOOP
    total := total + part[1]::numeric * CASE part[2] WHEN 'ns' THEN 0.000001 WHEN 'ms' THEN 1 WHEN 's' THEN 1000 WHEN 'm' THEN 60000 WHEN 'h' THEN 3600000 ELSE 0.001 END;
  END LOOP;
  RETURN sign * total;
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.check_options(options jsonb) RETURNS void LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  given record;
  known record;
BEGIN
  FOR given IN SELECT key, value FROM jsonb_each_text(options) LOOP
    SELECT * INTO known FROM crdb_sim.known_options() WHERE option = given.key;
    IF known.option IS NULL THEN PERFORM crdb_sim.fail('XXUUU', format('invalid option "%s"', given.key)); END IF;
    IF known.takes = 'no' AND given.value IS NOT NULL THEN PERFORM crdb_sim.fail('XXUUU', format('option "%s" does not take a value', given.key)); END IF;
    IF known.takes = 'yes' AND given.value IS NULL THEN PERFORM crdb_sim.fail('XXUUU', format('option "%s" requires a value', given.key)); END IF;
  END LOOP;
  FOR given IN SELECT key, value FROM jsonb_each_text(options) WHERE value IS NOT NULL LOOP
    SELECT * INTO known FROM crdb_sim.known_options() WHERE option = given.key;
    IF given.value <> ALL (known.allowed) THEN PERFORM crdb_sim.fail('XXUUU', format('unknown %s: %s', given.key, given.value)); END IF;
    IF given.key IN ('resolved', 'min_checkpoint_frequency', 'gc_protect_expires_after') AND given.value <> '' AND crdb_sim.duration_ms(given.value) < 0 THEN
      PERFORM crdb_sim.fail('XXUUU', format('negative durations are not accepted: %s=''%s''', given.key, given.value));
    END IF;
  END LOOP;
  IF options ? 'initial_scan' AND options ? 'no_initial_scan' THEN PERFORM crdb_sim.fail('XXUUU', 'cannot specify both initial_scan and no_initial_scan'); END IF;
  IF options ? 'initial_scan' AND options ? 'initial_scan_only' THEN PERFORM crdb_sim.fail('XXUUU', 'cannot specify both initial_scan and initial_scan_only'); END IF;
  IF options ->> 'format' = 'avro' AND NOT options ? 'confluent_schema_registry' THEN PERFORM crdb_sim.fail('XXUUU', 'WITH option confluent_schema_registry is required for format=avro'); END IF;
  IF coalesce(options ->> 'envelope', 'wrapped') <> 'wrapped' THEN
    FOR given IN SELECT unnest(ARRAY['diff', 'updated', 'mvcc_timestamp', 'key_in_value', 'topic_in_value']) AS key LOOP
      IF options ? given.key AND (given.key = 'diff' OR options ->> 'envelope' = 'key_only') THEN
        PERFORM crdb_sim.fail('XXUUU', format('%s is only usable with envelope=wrapped', given.key));
      END IF;
    END LOOP;
  END IF;
  IF options ->> 'initial_scan' = 'only' OR options ? 'initial_scan_only' THEN
    FOR given IN SELECT unnest(ARRAY['cursor', 'diff', 'end_time', 'mvcc_timestamp', 'resolved', 'updated']) AS key LOOP
      IF options ? given.key THEN PERFORM crdb_sim.fail('22023', format('cannot specify both initial_scan=''only'' and %s', given.key)); END IF;
    END LOOP;
  END IF;
END $$;
