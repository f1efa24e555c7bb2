// Reads the bank's total on the old database all the time: whoever reads there must see a state that CockroachDB was really in.
// `node --import tsx demo/reader.ts URL TOTAL`; a JSON line with its figures now and then, a last one at SIGTERM.
import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import type { ReaderFigures } from './verdict.js';

const PAUSE_MS = 20;
const TELL_EVERY_MS = 250;
const WRONG_KEPT = 5;

const [url = '', total = ''] = process.argv.slice(2);
const stop = new AbortController();
// Ctrl-C reaches everything in the terminal; the demo ends this process itself.
process.on('SIGINT', () => undefined);
process.once('SIGTERM', () => stop.abort());

const client = new pg.Client({ connectionString: url });
client.on('error', () => undefined);
await client.connect();

let reads = 0;
let states = 0;
let last = '';
const wrongTotals: string[] = [];
let toldAt = -Infinity;

while (!stop.signal.aborted) {
  // One statement sees one state.
  const { rows } = await client.query<{ total: string; transfers: string }>(
    'SELECT sum(balance)::text AS total, (SELECT count(*)::text FROM transfers) AS transfers FROM accounts',
  );
  const seen = rows[0];
  reads += 1;
  if (seen && seen.transfers !== last) states += 1;
  last = seen?.transfers ?? last;
  if (seen?.total !== total && wrongTotals.length < WRONG_KEPT) wrongTotals.push(seen?.total ?? 'nothing');
  if (performance.now() - toldAt >= TELL_EVERY_MS) tell();
  await delay(PAUSE_MS, undefined, { signal: stop.signal }).catch(() => undefined);
}
await client.end();
tell();

function tell(): void {
  toldAt = performance.now();
  process.stdout.write(`${JSON.stringify({ reads, states, wrongTotals } satisfies ReaderFigures)}\n`);
}
