-- The hybrid logical clock. Whoever commits a write holds the commit lock from the moment its timestamp is taken until the
-- commit is visible, so timestamps are in commit order and the holder of the lock sees every earlier commit.
CREATE OR REPLACE FUNCTION crdb_sim.commit_lock() RETURNS bigint LANGUAGE sql IMMUTABLE AS 'SELECT 7303014001';

CREATE OR REPLACE FUNCTION crdb_sim.clock_nanos() RETURNS bigint LANGUAGE sql VOLATILE
  AS 'SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000 + (random() * 999)::bigint';

-- The caller holds the commit lock.
CREATE OR REPLACE FUNCTION crdb_sim.tick() RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER
  AS $$ SELECT setval('crdb_sim.hlc', greatest(crdb_sim.clock_nanos(), (SELECT last_value + 1 FROM crdb_sim.hlc))) $$;

-- A timestamp above every commit already acknowledged and below every later one; all commits at or below it are visible
-- to any snapshot taken after this returns.
CREATE OR REPLACE FUNCTION crdb_sim.resolve_now() RETURNS bigint LANGUAGE plpgsql VOLATILE SECURITY DEFINER AS $$
DECLARE
  nanos bigint;
BEGIN
  PERFORM pg_advisory_lock(crdb_sim.commit_lock());
  nanos := crdb_sim.tick();
  PERFORM pg_advisory_unlock(crdb_sim.commit_lock());
  RETURN nanos;
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.assign_hlc() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(crdb_sim.commit_lock());
  UPDATE crdb_sim.txn SET hlc_nanos = crdb_sim.tick() WHERE xid = NEW.xid;
  RETURN NULL;
END $$;
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgname = 'assign_hlc' AND tgrelid = 'crdb_sim.txn'::regclass) THEN
    CREATE CONSTRAINT TRIGGER assign_hlc AFTER INSERT ON crdb_sim.txn DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION crdb_sim.assign_hlc();
    ALTER TABLE crdb_sim.txn ENABLE ALWAYS TRIGGER assign_hlc;
  END IF;
END $$;

CREATE OR REPLACE FUNCTION crdb_sim.touch_txn() RETURNS void LANGUAGE sql VOLATILE SECURITY DEFINER
  AS 'INSERT INTO crdb_sim.txn (xid) VALUES (pg_current_xact_id()) ON CONFLICT DO NOTHING';

CREATE OR REPLACE FUNCTION crdb_sim.hlc_text(nanos bigint, logical bigint DEFAULT 0) RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT nanos || '.' || lpad(logical::text, 10, '0') $$;

-- The form of error texts: seconds.nanoseconds,logical.
CREATE OR REPLACE FUNCTION crdb_sim.hlc_error_text(nanos bigint, logical bigint DEFAULT 0) RETURNS text LANGUAGE sql IMMUTABLE
  AS $$ SELECT (nanos / 1000000000) || '.' || lpad((nanos % 1000000000)::text, 9, '0') || ',' || logical $$;

-- Functions of CockroachDB that take no schema live where PostgreSQL looks first.
CREATE OR REPLACE FUNCTION pg_catalog.cluster_logical_timestamp() RETURNS numeric LANGUAGE sql VOLATILE SECURITY DEFINER
  AS 'SELECT crdb_sim.hlc_text(crdb_sim.resolve_now())::numeric';

-- What it says in a transaction of the past.
CREATE OR REPLACE FUNCTION crdb_sim.cluster_logical_timestamp(nanos bigint) RETURNS numeric LANGUAGE sql IMMUTABLE
  AS 'SELECT crdb_sim.hlc_text(nanos)::numeric';

CREATE OR REPLACE FUNCTION pg_catalog.follower_read_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE
  AS $$ SELECT statement_timestamp() - interval '4.2 seconds' $$;

-- Time in units of 10 microseconds since 2015 in the high bits, as CockroachDB's, and a counter for the node id.
CREATE OR REPLACE FUNCTION pg_catalog.unique_rowid() RETURNS bigint LANGUAGE sql VOLATILE SECURITY DEFINER AS $$
  SELECT (((extract(epoch FROM clock_timestamp()) - 1420070400) * 100000)::bigint << 15) | (nextval('crdb_sim.unique_id') & 32767) $$;
