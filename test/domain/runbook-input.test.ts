import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRunbookInput } from '../../src/domain/runbook-input.js';
import { stagingSchema } from '../../src/domain/staging.js';

const MINIMAL = { source: 'orders-crdb', target: 'orders-pg', tables: ['public.orders'] };

test('the least input is enough, and every default is filled in', () => {
  const parsed = parseRunbookInput(MINIMAL);
  assert.ok(parsed.ok);
  const { input } = parsed;
  assert.equal(input.checkpointSchema, undefined);
  assert.equal(input.changefeed.resolved, '250ms');
  assert.equal(input.drain.quietFor, 30_000);
  assert.equal(input.limits.outage, 12 * 3_600_000);
  assert.equal(input.apply.collapseMutations, true);
  assert.equal(input.compareAtCursor, true);
  assert.equal(input.apply.extraColumns, 'error');
});

test('what becomes of columns that the target lacks is one of three', () => {
  for (const extraColumns of ['error', 'ignore', { into: 'extra' }]) {
    const parsed = parseRunbookInput({ ...MINIMAL, apply: { extraColumns } });
    assert.ok(parsed.ok);
    assert.deepEqual(parsed.input.apply.extraColumns, extraColumns);
  }
});

test('a stage in a database is named by connection and database.schema, and is on the disk unless asked for', () => {
  const parsed = parseRunbookInput({
    ...MINIMAL,
    staging: { connection: 'orders-crdb', schema: 'defaultdb."My stage"' },
  });
  assert.ok(parsed.ok && parsed.input.staging);
  assert.equal(parsed.input.staging.createSchema, false);
  assert.deepEqual(stagingSchema(parsed.input.staging), { database: 'defaultdb', schema: 'My stage' });
  const without = parseRunbookInput(MINIMAL);
  assert.ok(without.ok && without.input.staging === undefined);
});

test('parallel applies are off, and what tunes the loop may be left to it', () => {
  const parsed = parseRunbookInput(MINIMAL);
  assert.ok(parsed.ok);
  const { enableParallelApplies, parallelism, targetMaxPoolSize, ...rest } = parsed.input.apply;
  assert.deepEqual([enableParallelApplies, parallelism, targetMaxPoolSize], [false, 4, 16]);
  for (const name of ['scanSize', 'targetApplyQueueSize', 'flushPeriod']) assert.ok(!(name in rest), name);
  const given = parseRunbookInput({
    ...MINIMAL,
    apply: { parallelism: 4, targetMaxPoolSize: 5, scanSize: 10, targetApplyQueueSize: 100, flushPeriod: '2s' },
  });
  assert.ok(given.ok);
  assert.equal(given.input.apply.flushPeriod, 2_000);
});

const WRONG: [what: string, input: unknown, field: string, message: RegExp][] = [
  ['no object', 'x', '(the whole input)', /expected one JSON object/],
  ['nothing', undefined, '(the whole input)', /missing/],
  ['unknown field', { ...MINIMAL, tabels: [] }, 'tabels', /unknown field/],
  ['unknown nested field', { ...MINIMAL, drain: { quietfor: '3s' } }, 'drain.quietfor', /unknown field/],
  ['missing tables', { source: 'a', target: 'b' }, 'tables', /missing.*list/],
  ['table without schema', { ...MINIMAL, tables: ['orders'] }, 'tables.0', /found "orders".*schema\.table/],
  [
    'a staging schema without its database',
    { ...MINIMAL, staging: { connection: 'a', schema: '_stage' } },
    'staging.schema',
    /found "_stage".*database\.schema/,
  ],
  ['table named twice', { ...MINIMAL, tables: ['public.a', 'public.a'] }, 'tables', /twice/],
  [
    'a sentinel without schema',
    { ...MINIMAL, drain: { sentinel: 'mark' } },
    'drain.sentinel',
    /found "mark".*schema\.table/,
  ],
  [
    'a sentinel among the tables of the target',
    { ...MINIMAL, targetSchema: 'shop', drain: { sentinel: 'marks.orders' } },
    'drain.sentinel',
    /"marks\.orders", which is among tables/,
  ],
  [
    'a sentinel among the tables, in whatever quotes',
    { ...MINIMAL, tables: ['public."odd.orders"'], drain: { sentinel: '"public"."odd.orders"' } },
    'drain.sentinel',
    /public\."odd\.orders"", which is among tables/,
  ],
  [
    'a sentinel among the tables',
    { ...MINIMAL, drain: { sentinel: 'public.orders' } },
    'drain.sentinel',
    /among tables/,
  ],
  ['no boolean', { ...MINIMAL, compareAtCursor: 'no' }, 'compareAtCursor', /found "no".*true or false/],
  ['a bad duration', { ...MINIMAL, limits: { outage: '12 hours' } }, 'limits.outage', /found "12 hours".*duration/],
  ['a number for a duration', { ...MINIMAL, limits: { outage: 5 } }, 'limits.outage', /found 5.*duration/],
  ['a number out of range', { ...MINIMAL, apply: { flushSize: 0 } }, 'apply.flushSize', /found 0.*at least 1/],
  [
    'another word for extra columns',
    { ...MINIMAL, apply: { extraColumns: 'drop' } },
    'apply.extraColumns',
    /found "drop".*"ignore".*into/,
  ],
  [
    'a misspelt place for extra columns',
    { ...MINIMAL, apply: { extraColumns: { in: 'x' } } },
    'apply.extraColumns',
    /found \{"in":"x"\}.*into/,
  ],
  [
    'more transactions than the pool bears',
    { ...MINIMAL, apply: { parallelism: 9, targetMaxPoolSize: 11 } },
    'apply.parallelism',
    /parallelism 9 is more than 80% of targetMaxPoolSize 11: lower it to 8,/,
  ],
  [
    'a pool that is too small for the default',
    { ...MINIMAL, apply: { targetMaxPoolSize: 3 } },
    'apply.parallelism',
    /parallelism 4 is more than 80% of targetMaxPoolSize 3/,
  ],
  ['no rows at once', { ...MINIMAL, apply: { scanSize: 0 } }, 'apply.scanSize', /found 0.*at least 1/],
  ['no queue', { ...MINIMAL, apply: { targetApplyQueueSize: 0 } }, 'apply.targetApplyQueueSize', /found 0.*at least 1/],
  ['no period', { ...MINIMAL, apply: { flushPeriod: 5 } }, 'apply.flushPeriod', /found 5.*duration/],
  ['an unknown gate', { ...MINIMAL, approvals: ['finsh'] }, 'approvals.0', /found "finsh".*finish/],
  ['a setting that is not ours', { ...MINIMAL, clusterSettings: { 'kv.x': '1' } }, 'clusterSettings.kv.x', /./],
];

for (const [what, input, field, message] of WRONG) {
  test(`refused with field and value: ${what}`, () => {
    const parsed = parseRunbookInput(input);
    assert.ok(!parsed.ok);
    const found = parsed.problems.find((problem) => problem.field === field);
    assert.ok(found, `${field} among ${JSON.stringify(parsed.problems)}`);
    assert.match(found.message, message);
  });
}

test('every problem is reported at once', () => {
  const parsed = parseRunbookInput({ source: 'A B', tables: [], drain: { limit: 'x' }, more: 1 });
  assert.ok(!parsed.ok);
  assert.deepEqual(
    new Set(parsed.problems.map((problem) => problem.field)),
    new Set(['source', 'target', 'tables', 'drain.limit', 'more']),
  );
});

test('a connection string in the place of a name is never echoed', () => {
  const secret = 'postgres://user:hunter2@db/orders';
  const parsed = parseRunbookInput({ ...MINIMAL, source: secret, checkpointSchema: 5, tables: [secret] });
  assert.ok(!parsed.ok);
  const text = JSON.stringify(parsed.problems);
  assert.ok(!text.includes('hunter2') && !text.includes('postgres:'), text);
});

test('apply.retireOffset may be nothing, as no other duration', () => {
  const offsetOf = (retireOffset: string): number | null => {
    const parsed = parseRunbookInput({ ...MINIMAL, apply: { retireOffset } });
    return parsed.ok ? parsed.input.apply.retireOffset : null;
  };
  assert.deepEqual([offsetOf('0s'), offsetOf('2s'), offsetOf('soon')], [0, 2_000, null]);
  assert.ok(!parseRunbookInput({ ...MINIMAL, limits: { outage: '0s' } }).ok);
});

test('immediate mode and parallel applies exclude each other, in one message', () => {
  const apply = { mode: 'immediate', enableParallelApplies: true };
  const parsed = parseRunbookInput({ ...MINIMAL, apply });
  assert.ok(!parsed.ok);
  assert.deepEqual(
    parsed.problems.map(({ field }) => field),
    ['apply.mode'],
  );
  assert.match(parsed.problems[0]?.message ?? '', /"immediate" beside enableParallelApplies/);
  assert.ok(parseRunbookInput({ ...MINIMAL, apply: { mode: 'immediate' } }).ok);
});
