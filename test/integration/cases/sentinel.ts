import assert from 'node:assert/strict';
import { startChild, type Child } from '../../../demo/child.js';
import { SENTINEL_TABLE } from '../../../demo/sentinel.js';
import { dumpBoth } from '../../support/dumps.js';
import type { Run, RunStack } from '../../support/run.js';
import { until } from '../../support/until.js';

export const LONG = { timeoutMs: 120_000 };
export const DRAIN = { quietFor: '500ms', pollEvery: '250ms', sentinel: SENTINEL_TABLE };

/** A forward replicator from that old database to the stack's source. */
export async function forwardOf(at: RunStack, old: string, port: number): Promise<Child> {
  const forward = startChild({
    file: 'forward.ts',
    args: [old, at.stack.cockroach.url(), String(port)],
    onFailure: (error) => console.error(error),
  });
  await forward.ready;
  return forward;
}

export async function sentinelsOn(at: RunStack, side: 'source' | 'target'): Promise<number> {
  // Of the public schema, as either side names it to itself.
  const sql = 'SELECT id FROM failback_sentinel';
  return (side === 'source' ? await at.source.query(sql) : await at.target.query(sql)).rows.length;
}

async function counted(port: number, name: string): Promise<string | undefined> {
  const text = await (await fetch(`http://127.0.0.1:${port}/_/varz`)).text();
  return text.split('\n').find((line) => line.startsWith(name) && line.includes('table="sentinel"'));
}

export const waitingFor = (run: Run, words: RegExp) =>
  until(`it waits for ${words}`, async () => words.test((await run.status()).waitingFor ?? ''), LONG);

export async function rolledBack(run: Run): Promise<void> {
  await run.signal('rollback');
  const ending = await run.ending();
  assert.equal(ending.outcome, 'rolled back');
  assert.deepEqual(ending.remains, []);
}

/** The forward replicator is at work, and its figures are the connection `forward`. */
export interface Forwarding {
  readonly at: RunStack;
  readonly forward: Child;
  readonly forwardPort: number;
}

export async function goesThrough({ at, forward, forwardPort }: Forwarding): Promise<void> {
  const untouched = await dumpBoth(at);
  const run = await at.start('through', 'items', { drain: { ...DRAIN, forward: 'forward' }, approvals: ['forward'] });
  await waitingFor(run, /^approve/);
  const status = await run.status();
  assert.match(status.forward ?? '', /^drained: 0 rows .*; a row and its deletion came through in /);
  assert.deepEqual([await sentinelsOn(at, 'target'), await sentinelsOn(at, 'source')], [0, 0]);
  assert.match((await counted(forwardPort, 'apply_upserts_total')) ?? '', / 1$/);
  assert.match((await counted(forwardPort, 'apply_deletes_total')) ?? '', / 1$/);
  await run.signal('approve', { gate: 'forward' });
  await waitingFor(run, /^forwardStopped/);
  assert.equal(await forward.stop(), 0);
  const replicating = await run.replicating();
  assert.match(replicating.forward ?? '', /^drained and stopped: .*; a row and its deletion came through in /);
  await rolledBack(run);
  assert.deepEqual(await dumpBoth(at), untouched);
}
