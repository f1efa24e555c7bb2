import assert from 'node:assert/strict';
import { test } from 'node:test';
import { foreignKeyOrder } from '../../src/domain/foreign-key-order.js';

const tables = (graph: Record<string, string[]>) =>
  Object.entries(graph).map(([name, references]) => ({ name, references }));

test('parents stand before the children that reference them', () => {
  const { ordered, cycles } = foreignKeyOrder(
    tables({ items: ['orders', 'products'], orders: ['people'], products: [], people: [] }),
  );
  assert.deepEqual(ordered, ['people', 'orders', 'products', 'items']);
  assert.deepEqual(cycles, []);
});

test('a table that references itself, or a table outside, is ordered as if it did not', () => {
  const { ordered, cycles } = foreignKeyOrder(tables({ tree: ['tree', 'outside'], leaf: ['tree'] }));
  assert.deepEqual(ordered, ['tree', 'leaf']);
  assert.deepEqual(cycles, []);
});

test('rings are reported, stand together, and the rest is in order around them', () => {
  const { ordered, cycles } = foreignKeyOrder(
    tables({ last: ['b'], a: ['b'], b: ['c', 'first'], c: ['a'], first: [], x: ['y'], y: ['x'] }),
  );
  assert.deepEqual(
    cycles.map((cycle) => [...cycle].sort()),
    [
      ['a', 'b', 'c'],
      ['x', 'y'],
    ],
  );
  assert.equal(ordered.length, 7);
  assert.equal(ordered[0], 'first');
  assert.equal(ordered[4], 'last');
});

test('every edge of many random graphs without rings points backwards', () => {
  let seed = 7;
  const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
  for (let round = 0; round < 200; round++) {
    const size = 2 + Math.floor(random() * 12);
    const graph = Array.from({ length: size }, (_, table) => ({
      name: `t${table}`,
      references: Array.from({ length: table }, (_unused, parent) => `t${parent}`).filter(() => random() < 0.3),
    }));
    const shuffled = [...graph].sort(() => random() - 0.5);
    const { ordered, cycles } = foreignKeyOrder(shuffled);
    assert.deepEqual(cycles, []);
    for (const { name, references } of graph)
      for (const parent of references) assert.ok(ordered.indexOf(parent) < ordered.indexOf(name));
  }
});
