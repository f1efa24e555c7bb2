import pg from 'pg';
import { startPostgres } from '../demo/parts/postgres.js';
import { formatHlc, hlcOf, type Hlc } from '../src/domain/hlc.js';
import { openPostgresApplySession } from '../src/targets/postgres/session.js';
import type { ApplyMutation } from '../src/targets/target.js';

/**
 * Seconds for one window in which a constraint objects, against the same window in which none does.
 * Usage: node --import tsx bench/conflicts.ts [rows of a window] [rows of a statement]
 */
const [ROWS = 20_000, FLUSH = 1000] = process.argv.slice(2).map(Number);
const TURNS = 3;
const COLUMNS = ['id', 'note', 'u'] as const;
const NOTE = 'some words '.repeat(12);

/** `i` counts from 1. Unchanged is `u = i`. */
type Rows = (i: number) => { readonly at: number; readonly u: number; readonly bad?: boolean };
const swapped = (i: number): number => (i === ROWS ? ROWS - 1 : i === ROWS - 1 ? ROWS : i);

const WINDOWS: Readonly<Record<string, Rows>> = {
  'no conflict': (i) => ({ at: i, u: i }),
  'one swap, in the last transaction': (i) => ({ at: Math.min(i, ROWS - 1), u: swapped(i) }),
  'a swap in each tenth transaction': (i) => ({
    at: i - (i % 10 === 1 ? 1 : 0),
    u: i % 10 === 1 && i > 1 ? i - 1 : i % 10 === 0 && i < ROWS ? i + 1 : i,
  }),
  'every value moves on by one, in one transaction': (i) => ({ at: 1, u: (i % ROWS) + 1 }),
  'a bad row at the end': (i) => ({ at: i, u: i, bad: i === ROWS }),
  'a duplicate at the end': (i) => ({ at: i, u: i === ROWS ? 1 : i }),
  'a bad row at the end of one transaction': (i) => ({ at: 1, u: i, bad: i === ROWS }),
};

const cursor = 1_759_246_920_000_000_000n;
const time = (n: number): Hlc => hlcOf(cursor + BigInt(n));

function changes(rows: Rows): readonly ApplyMutation[] {
  return Array.from({ length: ROWS }, (_, n) => {
    const { at, u, bad } = rows(n + 1);
    return {
      at: time(at),
      table: 0,
      key: Buffer.from(`[${n + 1}]`),
      after: Buffer.from(`{"id": ${n + 1}, "note": "${bad ? '' : NOTE}", "u": ${u}}`),
      columns: COLUMNS,
    };
  }).sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
}

const postgres = await startPostgres();
const client = new pg.Client({ connectionString: postgres.url() });
await client.connect();
await client.query(`CREATE SCHEMA _failback; CREATE TABLE _failback.checkpoint (
  stream text PRIMARY KEY, run text, applied numeric(30,10), cursor numeric(30,10), token text, holder_pid integer,
  holder_started timestamptz, stage_id text, incarnation integer DEFAULT 0, stop_at numeric(30,10), changed_at timestamptz)`);
try {
  for (const references of ['', 'REFERENCES t ON DELETE CASCADE']) {
    for (const [name, rows] of Object.entries(WINDOWS)) {
      const times: number[] = [];
      for (let turn = 1; turn <= TURNS; turn++) times.push(await seconds(references, changes(rows)));
      times.sort((a, b) => a - b);
      process.stdout.write(
        `${references === '' ? 'not referenced' : 'with a cascade'}, ${name}: ${(times[TURNS >> 1] ?? 0).toFixed(2)} s\n`,
      );
    }
  }
} finally {
  await client.end();
  await postgres.stop();
}

/** Rows are there before, and a tenth of them has a child. */
async function seconds(references: string, mutations: readonly ApplyMutation[]): Promise<number> {
  await client.query(`DROP TABLE IF EXISTS t, c; TRUNCATE _failback.checkpoint;
    CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, note text CHECK (note <> '')); CREATE TABLE c (id int PRIMARY KEY, t int ${references});
    CREATE INDEX ON c (t); INSERT INTO t SELECT n, n, 'before' FROM generate_series(1, ${ROWS}) AS n;
    INSERT INTO c SELECT n, n * 10 FROM generate_series(1, ${ROWS / 10}) AS n; ANALYZE t; ANALYZE c`);
  await client.query(`INSERT INTO _failback.checkpoint (stream, applied, token) VALUES ('orders', $1, 'token')`, [
    formatHlc(time(0)),
  ]);
  const plan = ['t', 'c'].map((table, i) => ({
    topic: table,
    source: { schema: 'public', table },
    sourceId: String(100 + i),
    target: { schema: 'public', table },
    keyColumns: [{ name: 'id', keyClass: 'exact' as const }],
  }));
  const session = await openPostgresApplySession({
    connectionString: postgres.url(),
    plan,
    stream: 'orders',
    checkpointSchema: '_failback',
    flushSize: FLUSH,
    extraColumns: 'error',
    enforcementOff: false,
    collapseMutations: true,
    lockTimeoutMs: 10_000,
    idleInTransactionTimeoutMs: 600_000,
  });
  const started = performance.now();
  await session.apply('token', { previous: time(0), next: time(ROWS), mutations }).catch((error: unknown) => {
    // The bad row is refused, and named; so is what an older version could not apply.
    if (!(error instanceof Error && error.name === 'BadRowError')) throw error;
  });
  const elapsed = (performance.now() - started) / 1000;
  await session.close();
  return elapsed;
}
