import assert from 'node:assert/strict';
import type { RunStack } from '../../support/run.js';
import { until } from '../../support/until.js';

const TABLES = ['public.shop', 'public.shop_item', 'public.stock', 'public.stock_item'];

export async function createFamilies(at: RunStack): Promise<void> {
  for (const name of ['shop', 'stock'])
    for (const statement of [
      `CREATE TABLE ${name} (id INT PRIMARY KEY, total INT)`,
      `CREATE TABLE ${name}_item (id INT PRIMARY KEY, parent INT, v INT, FOREIGN KEY (parent) REFERENCES ${name} (id))`,
    ]) {
      await at.source.query(statement);
      await at.target.query(statement.replaceAll('INT', 'int8'));
    }
}

export async function noRoomForConnections(at: RunStack): Promise<void> {
  const apply = { targetMaxPoolSize: 1_000 };
  const refused = await at.start('pool', '', { tables: TABLES, apply: { ...apply, enableParallelApplies: true } });
  assert.match(
    (await refused.failure()).message,
    /the run needs 1004 more connections .* lower apply\.targetMaxPoolSize/,
  );
  const single = await at.start('pool', '', { tables: TABLES, apply });
  await single.awaitPhase('drain');
  await single.signal('rollback');
  await single.ending();
}

export async function parallelRun(at: RunStack): Promise<void> {
  const untouched = await at.target.catalogue();
  const run = await at.start('parallel', '', {
    tables: TABLES,
    apply: { enableParallelApplies: true, parallelism: 2, targetMaxPoolSize: 4, enforcement: 'on', lockTimeout: '1s' },
  });
  await run.replicating();
  const families = async (from: number, to: number): Promise<void> => {
    for (let id = from; id <= to; id++)
      for (const name of ['shop', 'stock'])
        await at.source.query(
          `BEGIN; INSERT INTO ${name} VALUES (${id}, ${id}); INSERT INTO ${name}_item VALUES (${id}, ${id}, ${id}); COMMIT`,
        );
  };
  const rows = (name: string, count: number): Promise<unknown> =>
    until(`${count} rows in ${name}`, async () => (await at.rowsOnTarget(name)) === count, { timeoutMs: 60_000 });
  await families(1, 5);
  await rows('shop_item', 5);
  await rows('stock_item', 5);
  const { columns, schema } = at.target;
  const groups = await at.target.query<{ names: string }>(
    `SELECT ${columns.tables} AS names FROM ${at.target.ours('checkpoint_group')} ORDER BY group_number`,
  );
  assert.deepEqual(
    groups.rows.map(({ names }) => [...(names.match(/\w+\.\w+/g) ?? [])].sort()),
    ['shop', 'stock'].map((name) => [`${schema}.${name}`, `${schema}.${name}_item`]),
  );

  const release = await at.target.hold('stock_item');
  await families(6, 9);
  await rows('shop_item', 9);
  assert.equal(await at.rowsOnTarget('stock_item'), 5);
  await at.killWorker();
  await at.startWorker();
  await families(10, 12);
  await rows('shop_item', 12);
  await release();
  await rows('stock_item', 12);

  await run.signal('finish');
  const ending = await run.ending();
  assert.equal(ending.outcome, 'finished');
  assert.equal(ending.rowsCompared, 48);
  assert.deepEqual(await at.target.catalogue(), untouched, 'the tables of the checkpoint are removed');
}
