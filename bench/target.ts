import type pg from 'pg';
import { openPostgresApplySession, type PostgresApplyOptions } from '../src/targets/postgres/session.js';
import { openPostgresCheckpointStore } from '../src/targets/postgres/checkpoint-store.js';
import type { ApplyLoopOptions } from '../src/apply/loop.js';
import type { StreamPlan } from '../src/domain/table.js';
import type { ApplySession } from '../src/targets/target.js';
import { COLUMN_TYPES, CURSOR, tableName, type RowShape } from './rows.js';

/** The stream of the benchmarks, and the checkpoint's schema. */
export const STREAM = 's';
export const SCHEMA = '_failback';

export interface BenchTarget {
  readonly client: pg.Client;
  readonly connectionString: string;
}

/** Empty tables, and a checkpoint at the beginning of the rows. */
export async function emptyTarget({ client, connectionString }: BenchTarget, shape: RowShape): Promise<void> {
  for (let table = 0; table < shape.tables; table++)
    await client.query(
      `DROP TABLE IF EXISTS ${tableName(table)}; CREATE TABLE ${tableName(table)} (${COLUMN_TYPES}, PRIMARY KEY (id))`,
    );
  const store = await openPostgresCheckpointStore({ connectionString, applicationName: 'bench' }, SCHEMA);
  try {
    await store.removeRun(STREAM);
    await store.ensureSchema();
    await store.insertOnce({
      stream: STREAM,
      run: STREAM,
      cursor: CURSOR,
      origin: { clusterId: 'bench', tableIds: {} },
    });
  } finally {
    await store.close();
  }
  await client.query('CHECKPOINT');
}

/** A session as a run has it whose role may switch enforcement off. */
export function openSession(
  connectionString: string,
  plan: StreamPlan,
  over: Partial<PostgresApplyOptions>,
): Promise<ApplySession> {
  return openPostgresApplySession({
    connectionString,
    plan,
    stream: STREAM,
    checkpointSchema: SCHEMA,
    flushSize: 5_000,
    extraColumns: 'error',
    enforcementOff: true,
    collapseMutations: true,
    lockTimeoutMs: 5_000,
    idleInTransactionTimeoutMs: 60_000,
    ...over,
  });
}

/** What every loop of a benchmark is given: nobody stops it, and the source is what it was. */
export const LOOP = {
  stream: STREAM,
  token: 'token',
  incarnation: 1,
  limits: { rows: 20_000, bytes: 64_000_000 },
  signal: new AbortController().signal,
  source: { changed: () => null, firstOtherKey: () => Promise.resolve(null) },
  onProgress: () => undefined,
  log: console.error,
  idleAdvanceMs: 1_000,
  retireOffsetMs: 0,
  abortGraceMs: 1_000,
  retry: { firstMs: 100, maxMs: 1_000 },
} satisfies Partial<ApplyLoopOptions>;
