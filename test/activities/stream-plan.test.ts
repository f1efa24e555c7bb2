import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planGroups, planStream, targetOf } from '../../src/activities/stream-plan.js';
import type { IntrospectedTable } from '../../src/cockroach/introspect.js';
import { createEnvelopeScanner } from '../../src/receiver/envelope-scan.js';
import type { ForeignKey } from '../../src/domain/source-table.js';
import { formatTableName, type TableName } from '../../src/domain/table.js';

function table(schema: string, name: string, fullName = `d1.${schema}.${name}`): IntrospectedTable {
  return {
    table: { schema, table: name },
    id: fullName,
    fullName,
    columns: [],
    primaryKey: ['id'],
    keyColumns: [{ name: 'id', type: 'INT8', keyClass: 'exact', hidden: false, virtual: false }],
    foreignKeys: [],
    columnFamilies: 1,
    locality: null,
  };
}

test('tables of one name in two schemas are told apart by full names, each into the schema of its own name', () => {
  const tables = [table('public', 't'), table('s2', 't'), table('public', 'Mixed Case', 'd1.public."Mixed Case"')];
  const order = tables.map(({ table: source }) => targetOf(source, undefined)).reverse();
  const plan = planStream(tables, order, undefined);
  assert.deepEqual(
    plan.map(({ topic, target }) => [topic, formatTableName(target)]),
    [
      ['d1.public."Mixed Case"', 'public."Mixed Case"'],
      ['d1.s2.t', 's2.t'],
      ['d1.public.t', 'public.t'],
    ],
  );
  // As captured from a real CockroachDB: the topics of the plan are those of the rows.
  const rows = plan.map(({ topic }) => ({
    after: { id: 1 },
    key: [1],
    topic,
    updated: '1795320930814690359.0000000000',
  }));
  const body = Buffer.from(`{"payload":[${rows.map((row) => JSON.stringify(row)).join()}],"length":3}`);
  const topics: unknown[] = [];
  createEnvelopeScanner()(body, (item) => {
    topics.push(JSON.parse(body.toString('utf8', item.topicStart - 1, item.topicEnd + 1)));
  });
  assert.deepEqual(topics, ['d1.public."Mixed Case"', 'd1.s2.t', 'd1.public.t']);
});

test('tables of several schemas with names of their own keep short topics', () => {
  const tables = [table('public', 'a'), table('s2', 'b')];
  const plan = planStream(
    tables,
    [targetOf({ schema: 's2', table: 'b' }, undefined), { schema: 'public', table: 'a' }],
    undefined,
  );
  assert.deepEqual(
    plan.map(({ topic, source, target }) => [topic, source.schema, target.schema]),
    [
      ['b', 's2', 's2'],
      ['a', 'public', 'public'],
    ],
  );
});

test('names that differ in case alone find their own; a name that the target has folded finds its source', () => {
  const tables = [table('public', 'Orders'), table('public', 'orders')];
  const order = [
    { schema: 'public', table: 'orders' },
    { schema: 'public', table: 'Orders' },
  ];
  assert.deepEqual(
    planStream(tables, order, undefined).map(({ source, target }) => [source.table, target.table]),
    [
      ['orders', 'orders'],
      ['Orders', 'Orders'],
    ],
  );
  const folded = planStream([table('public', 'Orders')], [{ schema: 'old', table: 'orders' }], 'old');
  assert.deepEqual([folded[0]?.topic, folded[0]?.target.schema], ['Orders', 'old']);
});

test('tables that a foreign key of either side holds together are one group, whatever the names on the target', () => {
  const key = (references: TableName): ForeignKey => ({
    name: 'fk',
    columns: ['x'],
    references,
    referencedColumns: ['id'],
    onDelete: 'NO ACTION',
    onUpdate: 'NO ACTION',
  });
  const tables = ['a', 'b', 'c', 'd', 'e'].map((name) => table('public', name));
  const linked = tables.map((one) =>
    one.table.table === 'b' ? { ...one, foreignKeys: [key({ schema: 'public', table: 'a' })] } : one,
  );
  const order = tables.map(({ table: { table: name } }) => ({ schema: 'old', table: name }));
  const plan = planStream(linked, order, 'old');
  const references = [
    { table: { schema: 'old', table: 'd' }, references: { schema: 'old', table: 'c' } },
    { table: { schema: 'old', table: 'e' }, references: { schema: 'old', table: 'elsewhere' } },
  ];
  const groups = (parallelism: number) => planGroups(plan, linked, references, parallelism).map(({ group }) => group);
  assert.deepEqual(groups(4), [0, 0, 1, 1, 2]);
  assert.deepEqual(groups(2), [0, 0, 1, 1, 0]);
  assert.equal(planGroups(plan, linked, references, 1), plan, 'one group is no group');
});
