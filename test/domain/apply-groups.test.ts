import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupsOf, packGroups, type TableLink } from '../../src/domain/apply-groups.js';
import { planFingerprint, type StreamPlan } from '../../src/domain/table.js';

const CASES: readonly [what: string, tables: number, links: readonly TableLink[], most: number, groups: string][] = [
  ['no links, room for all', 3, [], 4, '0 1 2'],
  ['no links, room for two', 5, [], 2, '0 1 0 1 0'],
  ['a chain is one', 3, [[1, 0], [2, 1]], 4, '0 0 0'], // prettier-ignore
  ['two that share a parent', 4, [[2, 0], [1, 0]], 4, '0 0 0 1'], // prettier-ignore
  ['a ring, and a table that references itself', 4, [[0, 2], [2, 0], [3, 3]], 4, '0 1 0 2'], // prettier-ignore
  ['two parts that a later link joins', 4, [[1, 0], [3, 2], [3, 1]], 4, '0 0 0 0'], // prettier-ignore
  ['the large part keeps to itself', 6, [[3, 2], [4, 3], [5, 4]], 2, '0 0 1 1 1 1'], // prettier-ignore
  ['no parallelism', 3, [], 1, '0 0 0'],
  ['one table', 1, [], 4, '0'],
];

for (const [what, tables, links, most, wanted] of CASES) {
  test(`groups by foreign keys: ${what}`, () => {
    assert.equal(packGroups(tables, links, most).join(' '), wanted);
    const turned = links.map(([a, b]): TableLink => [b, a]).toReversed();
    assert.equal(packGroups(tables, turned, most).join(' '), wanted, 'whatever the order of the links');
  });
}

const table = (name: string): StreamPlan[number] => ({
  topic: name,
  source: { schema: 'public', table: name },
  sourceId: name,
  target: { schema: 'public', table: name },
  keyColumns: [],
});

test('a plan without groups, or with one, is applied as one; the stage is the same in any case', () => {
  const plan = [table('a'), table('b'), table('c')];
  assert.deepEqual(groupsOf(plan), []);
  const grouped = plan.map((one, i) => ({ ...one, group: i === 1 ? 1 : 0 }));
  assert.deepEqual(groupsOf(grouped), [
    { number: 0, tables: [0, 2] },
    { number: 1, tables: [1] },
  ]);
  assert.equal(planFingerprint(grouped), planFingerprint(plan));
});
