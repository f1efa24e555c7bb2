-- What the simulated cluster stores: one row per writing transaction, one row per changed row, every version of every table.
-- All of it is idempotent: the file runs at every start.
CREATE SCHEMA IF NOT EXISTS crdb_sim;
CREATE SCHEMA IF NOT EXISTS crdb_internal;
CREATE SEQUENCE IF NOT EXISTS crdb_sim.hlc AS bigint;
CREATE SEQUENCE IF NOT EXISTS crdb_sim.unique_id AS bigint;

CREATE TABLE IF NOT EXISTS crdb_sim.cluster (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  cluster_id uuid NOT NULL DEFAULT gen_random_uuid(),
  created_nanos bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint * 1000
);
INSERT INTO crdb_sim.cluster DEFAULT VALUES ON CONFLICT DO NOTHING;

-- hlc_nanos is NULL until the transaction commits (a deferred trigger sets it).
CREATE TABLE IF NOT EXISTS crdb_sim.txn (
  xid xid8 PRIMARY KEY,
  hlc_nanos bigint,
  hlc_logical int NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS txn_hlc ON crdb_sim.txn (hlc_nanos, hlc_logical);

-- columns: [{"name","type" (PostgreSQL's),"crdb_type","attnum","pk_ordinal" (from 1, or null),"nullable","hidden",
--            "generated" (null | "stored" | "virtual"),"generated_expr","default_expr"}], in the order of the log's arrays.
CREATE TABLE IF NOT EXISTS crdb_sim.tbl (
  table_id bigint PRIMARY KEY,
  schema text NOT NULL,
  name text NOT NULL,
  columns jsonb NOT NULL,
  version int NOT NULL,
  dropped boolean NOT NULL DEFAULT false
);

-- change: create | add_column | add_column_default | drop_column | alter_column | primary_key | rename_column | rename_table | drop.
-- Its time is the HLC of its transaction.
CREATE TABLE IF NOT EXISTS crdb_sim.tbl_version (
  table_id bigint NOT NULL,
  version int NOT NULL,
  xid xid8 NOT NULL,
  schema text NOT NULL,
  name text NOT NULL,
  columns jsonb NOT NULL,
  change text NOT NULL,
  dropped boolean NOT NULL DEFAULT false,
  PRIMARY KEY (table_id, version)
);

-- op: i insert, u update, d delete, t truncate (no key), b the whole table written again after a change of its columns.
-- key is canonical (1.50 and 1.5 are one key), before and after are exact; virtual columns are NULL.
CREATE TABLE IF NOT EXISTS crdb_sim.log (
  id bigserial PRIMARY KEY,
  xid xid8 NOT NULL,
  table_id bigint NOT NULL,
  version int NOT NULL,
  op "char" NOT NULL,
  key text[],
  before text[],
  after text[]
);
CREATE INDEX IF NOT EXISTS log_xid ON crdb_sim.log (xid, id);
CREATE INDEX IF NOT EXISTS log_table ON crdb_sim.log (table_id, id);

CREATE TABLE IF NOT EXISTS crdb_sim.job (
  job_id bigint PRIMARY KEY,
  description text NOT NULL,
  statement text NOT NULL DEFAULT '',
  user_name text NOT NULL,
  status text NOT NULL,
  running_status text,
  created timestamptz NOT NULL DEFAULT clock_timestamp(),
  started timestamptz,
  finished timestamptz,
  modified timestamptz NOT NULL DEFAULT clock_timestamp(),
  highwater_nanos bigint,
  highwater_logical bigint,
  error text NOT NULL DEFAULT '',
  sink_uri text NOT NULL DEFAULT '',
  targets jsonb NOT NULL DEFAULT '[]',
  options jsonb NOT NULL DEFAULT '{}',
  cursor_nanos bigint,
  cursor_logical bigint,
  job_type text NOT NULL DEFAULT 'CHANGEFEED'
);

CREATE TABLE IF NOT EXISTS crdb_sim.setting (
  name text PRIMARY KEY,
  value text NOT NULL,
  default_value text NOT NULL,
  setting_type text NOT NULL,
  description text NOT NULL DEFAULT ''
);

-- target: "" the whole cluster, "db" the database, "schema.table" a table.
CREATE TABLE IF NOT EXISTS crdb_sim.zone (target text NOT NULL, variable text NOT NULL, value text NOT NULL, PRIMARY KEY (target, variable));
CREATE TABLE IF NOT EXISTS crdb_sim.gc (table_id bigint PRIMARY KEY, threshold_nanos bigint NOT NULL);
CREATE TABLE IF NOT EXISTS crdb_sim.history_protection (job_id bigint PRIMARY KEY, nanos bigint NOT NULL, expires timestamptz NOT NULL, span interval NOT NULL);
-- table_id 0: a system privilege or a role option.
CREATE TABLE IF NOT EXISTS crdb_sim.privilege (grantee text NOT NULL, table_id bigint NOT NULL, privilege text NOT NULL, grantable boolean NOT NULL DEFAULT false, PRIMARY KEY (grantee, table_id, privilege));
CREATE TABLE IF NOT EXISTS crdb_sim.feed_fault (name text PRIMARY KEY, args jsonb NOT NULL);
