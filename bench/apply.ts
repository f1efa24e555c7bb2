import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { startPostgres } from '../demo/parts/postgres.js';
import { createBell } from '../src/apply/bell.js';
import { runApplyLoop } from '../src/apply/loop.js';
import { formatHlc, hlcOf, HLC_BYTES, writeHlc } from '../src/domain/hlc.js';
import type { IncomingMutation } from '../src/domain/mutation.js';
import { openLmdbStage } from '../src/staging/lmdb/open-stage.js';
import { openPostgresApplySession } from '../src/targets/postgres/session.js';

/**
 * Rows/s visible on the target, of the apply loop over a filled LMDB stage, against a bare loop of set-based upserts of the same rows, in turns on
 * one PostgreSQL. Usage: node --import tsx bench/apply.ts [rows] [rows of a window] [rows of a statement]
 */
const [ROWS = 100_000, WINDOW = 10_000, FLUSH = 5000] = process.argv.slice(2).map(Number);
const KEYS = ROWS / 2;
const TURNS = 3;
const COLUMNS = ['amount', 'at', 'flag', 'id', 'n', 'name', 'note', 'price'] as const;
const TYPES = 'amount numeric(12,2), at timestamptz, flag bool, id int8, n int4, name text, note text, price float8';
const cursor = hlcOf(1_759_246_920_000_000_000n);

function document(i: number): string {
  return (
    `{"amount": ${(i % 100_000) / 100}, "at": "2024-02-29T12:34:56.${String(i % 1_000_000).padStart(6, '0')}Z", "flag": ${i % 2 === 0},` +
    ` "id": ${(i * 7919) % KEYS}, "n": ${i % 1000}, "name": "customer number ${i}", "note": "${'some words '.repeat(5)}", "price": ${i / 8}}`
  );
}

const mutations: IncomingMutation[] = Array.from({ length: ROWS }, (_, i) => {
  const at = new Uint8Array(HLC_BYTES);
  writeHlc(at, 0, hlcOf(1_759_246_920_000_000_000n + BigInt(i + 1)));
  return {
    at,
    table: 0,
    key: Buffer.from(`[${(i * 7919) % KEYS}]`),
    after: Buffer.from(document(i)),
    columns: COLUMNS,
  };
});
const end = hlcOf(1_759_246_920_000_000_000n + BigInt(ROWS));

const postgres = await startPostgres();
const client = new pg.Client({ connectionString: postgres.url() });
await client.connect();
try {
  await client.query(`CREATE SCHEMA _failback; CREATE TABLE _failback.checkpoint (
    stream text PRIMARY KEY, run text, applied numeric(30,10), cursor numeric(30,10), token text, holder_pid integer,
    holder_started timestamptz, stage_id text, incarnation integer DEFAULT 0, changed_at timestamptz)`);
  for (let turn = 1; turn <= TURNS; turn++) {
    report(`turn ${turn}: bare set-based upserts`, await bare());
    report(`turn ${turn}: stage, loop and checkpoint`, await loop());
  }
} finally {
  await client.end();
  await postgres.stop();
}

function report(what: string, seconds: number): void {
  console.log(`${what.padEnd(44)} ${Math.round(ROWS / seconds).toLocaleString('en')} rows/s`);
}

async function emptyTarget(): Promise<void> {
  await client.query(
    `DROP TABLE IF EXISTS t; CREATE TABLE t (${TYPES}, PRIMARY KEY (id)); DELETE FROM _failback.checkpoint`,
  );
  await client.query(
    `INSERT INTO _failback.checkpoint (stream, run, applied, cursor, token) VALUES ('s', 'r', $1, $1, 'token')`,
    [formatHlc(cursor)],
  );
  await client.query('CHECKPOINT');
}

async function bare(): Promise<number> {
  await emptyTarget();
  const set = COLUMNS.filter((name) => name !== 'id').map((name) => `${name} = excluded.${name}`);
  const started = performance.now();
  for (let i = 0; i < ROWS; i += FLUSH) {
    const last = new Map(mutations.slice(i, i + FLUSH).map((row) => [Buffer.from(row.key).toString(), row.after]));
    const rows = `[${[...last.values()].map((after) => Buffer.from(after ?? []).toString()).join(',')}]`;
    await client.query(
      `INSERT INTO t (${COLUMNS.join()}) SELECT ${COLUMNS.join()} FROM json_to_recordset($1::json) AS r(${TYPES})
       ON CONFLICT (id) DO UPDATE SET ${set.join()}`,
      [rows],
    );
  }
  return (performance.now() - started) / 1000;
}

async function loop(): Promise<number> {
  await emptyTarget();
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-bench-'));
  const stage = openLmdbStage({ stageDir, stream: 's' });
  try {
    await stage.bind(1, cursor, 'plan');
    for (let i = 0; i < ROWS; i += 1000) await stage.accept(1, mutations.slice(i, i + 1000), cursor);
    await stage.resolve(1, end);
    const table = { schema: 'public', table: 't' };
    const plan = [
      {
        topic: 't',
        source: table,
        sourceId: '1',
        target: table,
        keyColumns: [{ name: 'id', keyClass: 'exact' as const }],
      },
    ];
    const started = performance.now();
    const ended = await runApplyLoop({
      stage,
      stream: 's',
      token: 'token',
      incarnation: 1,
      openSession: () =>
        openPostgresApplySession({
          connectionString: postgres.url(),
          plan,
          stream: 's',
          checkpointSchema: '_failback',
          flushSize: FLUSH,
          extraColumns: 'error',
          enforcementOff: true,
          collapseMutations: true,
          lockTimeoutMs: 5000,
          idleInTransactionTimeoutMs: 60_000,
        }),
      limits: { rows: WINDOW, bytes: 64_000_000 },
      source: { changed: () => null, firstOtherKey: () => Promise.resolve(null) },
      signal: new AbortController().signal,
      bell: createBell(),
      stopAt: () => end,
      onProgress: () => undefined,
      log: console.error,
      idleAdvanceMs: 1000,
      abortGraceMs: 1000,
      retry: { firstMs: 100, maxMs: 1000 },
    });
    if (ended.ended !== 'stopped') throw new Error(`the loop ended as ${ended.ended}`);
    return (performance.now() - started) / 1000;
  } finally {
    await stage.close();
    rmSync(stageDir, { recursive: true });
  }
}
