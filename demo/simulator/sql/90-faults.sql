-- Faults, set from any client: SELECT crdb_sim.fault('name', '{"args": ...}'). The front and the changefeed engine read them.
CREATE OR REPLACE FUNCTION crdb_sim.fault(fault_name text, fault_args jsonb DEFAULT '{}') RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  INSERT INTO crdb_sim.feed_fault VALUES (fault_name, coalesce(fault_args, '{}')) ON CONFLICT (name) DO UPDATE SET args = excluded.args;
  -- What is collected stays collected, also when the fault is cleared.
  IF fault_name = 'gc' THEN PERFORM crdb_sim.gc_threshold(table_id) FROM crdb_sim.tbl; END IF;
  PERFORM pg_notify('crdb_sim_fault', fault_name);
END $$;
CREATE OR REPLACE FUNCTION crdb_sim.clear_faults(fault_name text DEFAULT NULL) RETURNS void LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
BEGIN
  DELETE FROM crdb_sim.feed_fault WHERE fault_name IS NULL OR name = fault_name;
  PERFORM pg_notify('crdb_sim_fault', coalesce(fault_name, ''));
END $$;
