import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRunStack, type RunStack } from '../support/run.js';
import { until } from '../support/until.js';

let at: RunStack;
before(async () => {
  at = await startRunStack();
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await at.source.query('CREATE SCHEMA stock');
  await at.source.query('CREATE TABLE orders (id INT PRIMARY KEY, note STRING, added DECIMAL(12,2))');
  await at.source.query('CREATE TABLE stock."odd.items" (id INT PRIMARY KEY, "Name" STRING)');
  await at.source.query('CREATE TABLE stock.orders (id INT PRIMARY KEY, note STRING)');
  await at.target.query('CREATE SCHEMA stock; CREATE TABLE orders (id int8 PRIMARY KEY, note text, extra jsonb)');
  await at.target.query('CREATE TABLE stock."odd.items" (id int8 PRIMARY KEY, "Name" text)');
  await at.target.query('CREATE TABLE stock.orders (id int8 PRIMARY KEY, note text)');
});
after(async () => at.stop());

test('tables of two schemas, two of one name, one with a dot in its name, and a column that the target lacks go through one run to its finish', async () => {
  const run = await at.start('schemas', '', {
    tables: ['public.orders', 'stock."odd.items"', 'stock.orders'],
    apply: { extraColumns: { into: 'extra' } },
  });
  await run.replicating();
  assert.match(
    (await run.status()).atCursor ?? '',
    /^both sides were equal: .* Not compared, .*: public\.orders\.added\.$/,
  );
  await at.source.query(`INSERT INTO orders VALUES (1, 'one', 1.50), (2, NULL, NULL)`);
  await at.source.query(`INSERT INTO stock."odd.items" VALUES (1, 'an item'), (2, 'gone')`);
  await at.source.query(`INSERT INTO stock.orders VALUES (1, 'in stock')`);
  await at.source.query('DELETE FROM stock."odd.items" WHERE id = 2');
  await until(
    'the rows are there',
    async () =>
      (await at.rowsOnTarget('orders')) === 2 &&
      (await at.rowsOnTarget('stock.orders')) === 1 &&
      (await at.rowsOnTarget('stock."odd.items"')) === 1,
  );
  await run.signal('finish');
  const ending = await run.ending();
  assert.equal(ending.outcome, 'finished');
  assert.match(ending.summary, /Not compared, as the target does not have them: public\.orders\.added\./);
  assert.deepEqual((await at.target.query('SELECT * FROM stock.orders')).rows, [{ id: '1', note: 'in stock' }]);
  const { rows } = await at.target.query('SELECT id, note, extra::text FROM orders ORDER BY id');
  assert.deepEqual(rows, [
    { id: '1', note: 'one', extra: '{"added": 1.50}' },
    { id: '2', note: null, extra: '{"added": null}' },
  ]);
});
