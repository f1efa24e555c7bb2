import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isOnlyCopy } from '../../src/domain/only-copy.js';
import {
  findKeyChange,
  findOriginChange,
  keysFingerprint,
  type FoundKey,
  type SourceOrigin,
} from '../../src/domain/source-identity.js';
import type { StreamPlan } from '../../src/domain/table.js';

const BEGAN: SourceOrigin = { clusterId: 'c1', tableIds: { 'public.a': '104', 'public.b': '105' } };

const ORIGINS: readonly (readonly [what: string, now: SourceOrigin, change: RegExp | null])[] = [
  ['nothing', BEGAN, null],
  ['the cluster', { ...BEGAN, clusterId: 'c2' }, /began with cluster c1, and this is cluster c2$/],
  [
    'a table made anew',
    { ...BEGAN, tableIds: { 'public.a': '104', 'public.b': '106' } },
    /^table public\.b had id 105 when the stream began and has id 106 now/,
  ],
  [
    'two tables that changed names',
    { ...BEGAN, tableIds: { 'public.a': '105', 'public.b': '104' } },
    /^table public\.a had id 104 when the stream began and has id 105 now/,
  ],
  ['a table renamed, or dropped: its name leads nowhere', { ...BEGAN, tableIds: { 'public.b': '105' } }, null],
  ['a table that was not there', { ...BEGAN, tableIds: { 'public.c': '107' } }, /^table public\.c had id none/],
];
for (const [what, now, change] of ORIGINS)
  test(`what changed: ${what} (protocol rule 9)`, () => {
    const found = findOriginChange(BEGAN, now);
    if (change === null) assert.equal(found, null);
    else assert.match(found ?? 'null', change);
  });

const PLAN: StreamPlan = [
  {
    topic: 'a',
    source: { schema: 'public', table: 'a' },
    sourceId: '104',
    target: { schema: 'public', table: 'a' },
    keyColumns: [
      { name: 'x', keyClass: 'exact' },
      { name: 'y', keyClass: 'decimal' },
    ],
  },
];
const keys = (id: string, ...columns: string[]) => new Map<string, FoundKey>([[id, { columns, indexId: '1' }]]);

const KEYS: readonly (readonly [columns: readonly string[], change: string | null])[] = [
  [['x', 'y'], null],
  [['y', 'x'], '(x, y) when the stream began and is (y, x) now'],
  [['x'], '(x, y) when the stream began and is (x) now'],
  [['x', 'y', 'z'], '(x, y) when the stream began and is (x, y, z) now'],
  [['x', 'Y'], '(x, y) when the stream began and is (x, Y) now'],
];
for (const [columns, change] of KEYS)
  test(`a key (x, y) found as (${columns.join(', ')}) (protocol rule 8)`, () => {
    const found = findKeyChange(PLAN, keys('104', ...columns));
    assert.equal(found, change === null ? null : `the primary key of public.a was ${change}`);
  });

test('a table that is not there has no other key', () => {
  assert.equal(findKeyChange(PLAN, keys('999', 'z')), null);
});

test('an index that is another one tells that a key was altered, whatever its columns', () => {
  const again = new Map([['104', { columns: ['x', 'y'], indexId: '2' }]]);
  assert.notEqual(keysFingerprint(PLAN, keys('104', 'x', 'y')), keysFingerprint(PLAN, again));
  assert.equal(keysFingerprint(PLAN, keys('104', 'x', 'y')), keysFingerprint(PLAN, keys('104', 'x', 'y')));
});

const HOUR = 3_600_000;
const COPIES: readonly (readonly [ttlMs: number | null, lagMs: number, only: boolean])[] = [
  [4 * HOUR, 0, false],
  [4 * HOUR, 2 * HOUR, false],
  [4 * HOUR, 2 * HOUR + 1, true],
  [4 * HOUR, 9 * HOUR, true],
  [null, 9 * HOUR, false],
];
for (const [ttlMs, lagMs, only] of COPIES)
  test(`a checkpoint ${lagMs} ms old, history kept for ${ttlMs ?? 'ever'}: the stage is ${only ? '' : 'not '}the only copy (protocol rule 4)`, () => {
    assert.equal(isOnlyCopy(ttlMs === null ? null : { object: 'TABLE d.public.a', ttlMs }, lagMs), only);
  });
