import { formatHlc } from '../src/domain/hlc.js';
import { startPostgresBench } from './postgres.js';
import { COLUMN_TYPES, CURSOR, mutationsOf, planOf, tableName, timeOf, type RowShape } from './rows.js';

/**
 * From how many rows of a table on COPY pays: milliseconds of a window by the apply session, from JSON and by COPY, in turns on one PostgreSQL.
 * The best of the turns, so that neighbours on the machine do not count. Usage: node --import tsx bench/copy-from.ts
 */
const SIZES = [100, 250, 500, 1_000, 2_500, 5_000, 10_000];
const TURNS = 30;
const WAYS = { json: Infinity, copy: 1 } as const;

const target = await startPostgresBench();
const { client } = target;
try {
  console.log('  rows tables      JSON      COPY');
  for (const tables of [1, 4, 20]) for (const size of SIZES) await measure(size, tables);
} finally {
  await target.stop();
}

/** `size` rows of each of `tables` tables in a window. */
async function measure(size: number, tables: number): Promise<void> {
  const rows = size * tables;
  if (rows > 20_000) return;
  const shape: RowShape = { rows: 2 * rows, bytes: 200, tables, keys: 'uniform' };
  await client.query('DROP SCHEMA IF EXISTS _failback CASCADE; CREATE SCHEMA _failback');
  await client.query(`CREATE TABLE _failback.checkpoint (stream text PRIMARY KEY, run text, applied numeric(30,10), cursor numeric(30,10), token text,
    holder_pid integer, holder_started timestamptz, stage_id text, incarnation integer DEFAULT 0, feed_wanted boolean, stop_at numeric(30,10),
    origin jsonb, changed_at timestamptz)`);
  for (let i = 0; i < tables; i++)
    await client.query(
      `DROP TABLE IF EXISTS ${tableName(i)}; CREATE TABLE ${tableName(i)} (${COLUMN_TYPES}, PRIMARY KEY (id))`,
    );
  const mutations = mutationsOf(shape)
    .slice(0, rows)
    .map(({ table, key, after, columns }) => ({ at: timeOf(0), table, key: Buffer.from(key), after, columns }));
  const best = { json: Infinity, copy: Infinity };
  const sessions = await Promise.all(
    Object.entries(WAYS).map(async ([way, copyFrom]) => {
      await client.query(`INSERT INTO _failback.checkpoint (stream, applied, token) VALUES ($1, $2, 't')`, [
        way,
        formatHlc(CURSOR),
      ]);
      const session = await target.openSession(planOf(shape), { stream: way, copyFrom });
      return [way as keyof typeof WAYS, session] as const;
    }),
  );
  for (let turn = 0; turn < TURNS; turn++)
    for (const [way, session] of sessions) {
      const window = { previous: turn === 0 ? CURSOR : timeOf(turn - 1), next: timeOf(turn), mutations };
      const started = performance.now();
      await session.apply('t', window);
      if (turn > 1) best[way] = Math.min(best[way], performance.now() - started);
    }
  await Promise.all(sessions.map(([, session]) => session.close()));
  console.log(`${String(size).padStart(6)} ${String(tables).padStart(6)} ${show(best.json)} ${show(best.copy)}`);
}

function show(ms: number): string {
  return `${ms.toFixed(1).padStart(7)}ms`;
}
