// Reads the bank's total on the old database all the time: whoever reads there must see a state that CockroachDB was really in.
// `node --import tsx demo/reader.ts URL TOTAL`; a JSON line with its figures now and then, a last one at SIGTERM.
import { setTimeout as delay } from 'node:timers/promises';
import { dialectOf } from './old/dialects.js';
import type { ReaderFigures } from './verdict.js';

const PAUSE_MS = 20;
const TELL_EVERY_MS = 250;
const WRONG_KEPT = 5;

const [url = '', total = ''] = process.argv.slice(2);
const stop = new AbortController();
// Ctrl-C reaches everything in the terminal; the demo ends this process itself.
process.on('SIGINT', () => undefined);
process.once('SIGTERM', () => stop.abort());

const client = await dialectOf(url).connect(url);

let reads = 0;
let states = 0;
let last = '';
const wrongTotals: string[] = [];
let toldAt = -Infinity;

while (!stop.signal.aborted) {
  const seen = await client.readBank();
  reads += 1;
  if (seen.transfers !== last) states += 1;
  last = seen.transfers;
  if (seen.total !== total && wrongTotals.length < WRONG_KEPT) wrongTotals.push(seen.total);
  if (performance.now() - toldAt >= TELL_EVERY_MS) tell();
  await delay(PAUSE_MS, undefined, { signal: stop.signal }).catch(() => undefined);
}
await client.end();
tell();

function tell(): void {
  toldAt = performance.now();
  process.stdout.write(`${JSON.stringify({ reads, states, wrongTotals } satisfies ReaderFigures)}\n`);
}
