/** Where the drain's sentinel row is written, on both sides; forward replication carries it. */
export const SENTINEL_TABLE = 'public.failback_sentinel';

export const SENTINEL_ON_TARGET =
  'CREATE TABLE failback_sentinel (id text PRIMARY KEY, written_at timestamptz NOT NULL)';
export const SENTINEL_ON_SOURCE =
  'CREATE TABLE failback_sentinel (id STRING PRIMARY KEY, written_at TIMESTAMPTZ NOT NULL)';
export const SENTINEL_ON_MYSQL =
  'CREATE TABLE failback_sentinel (id VARCHAR(100) COLLATE utf8mb4_bin PRIMARY KEY, written_at DATETIME(6) NOT NULL)';
