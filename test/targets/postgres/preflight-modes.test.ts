import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { problems, sourceTable, startPreflightBench, type PreflightBench } from './preflight-fixture.js';

let bench: PreflightBench;
before(async () => {
  bench = await startPreflightBench();
});
after(() => bench.stop());
beforeEach(() => bench.fresh());

test('immediate mode warns of what readers may see, and of rows that foreign keys make wait while they are on', async () => {
  await bench.admin(`CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p);
    GRANT SELECT, INSERT, UPDATE, DELETE ON p, c TO app, replicator`);
  const key = {
    name: 'c_p_fkey',
    columns: ['p'],
    references: { schema: 'public', table: 'p' },
    referencedColumns: ['id'],
    onDelete: 'NO ACTION',
    onUpdate: 'NO ACTION',
  } as const;
  const tables = [
    sourceTable('p', { id: 'INT8' }),
    sourceTable('c', { id: 'INT8', p: 'INT8' }, { foreignKeys: [key] }),
  ];
  const found = async (user: string, more: Parameters<PreflightBench['preflight']>[2]) =>
    problems(await bench.preflight(tables, user, more)).filter((problem) => problem.includes('apply.'));
  const on = { immediate: true, enforcementOffWanted: false };
  assert.deepEqual(await found('app', { enforcementOffWanted: false }), []);
  assert.deepEqual(await found('app', on), [
    'warning apply.immediate apply.mode',
    'warning apply.immediate.foreign-keys apply.mode',
  ]);
  const { findings } = await bench.preflight(tables, 'app', on);
  assert.equal(findings.find(({ id }) => id === 'apply.immediate.foreign-keys')?.found, 'foreign keys of public.c');
  assert.deepEqual(await found('replicator', { immediate: true }), ['warning apply.immediate apply.mode']);
});

test('dead letters: where a foreign key acts and stays on, a warning says that the stream halts instead', async () => {
  await bench.admin(`CREATE TABLE p (id int PRIMARY KEY); CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
    GRANT SELECT, INSERT, UPDATE, DELETE ON p, c TO app, replicator`);
  const key = {
    name: 'c_p_fkey',
    columns: ['p'],
    references: { schema: 'public', table: 'p' },
    referencedColumns: ['id'],
    onDelete: 'CASCADE',
    onUpdate: 'NO ACTION',
  } as const;
  const tables = [
    sourceTable('p', { id: 'INT8' }),
    sourceTable('c', { id: 'INT8', p: 'INT8' }, { foreignKeys: [key] }),
  ];
  const found = async (user: string, more: Parameters<PreflightBench['preflight']>[2]) =>
    problems(await bench.preflight(tables, user, more)).filter((problem) => problem.includes('apply.'));
  assert.deepEqual(await found('app', { enforcementOffWanted: false }), []);
  assert.deepEqual(await found('app', { deadLetters: true, enforcementOffWanted: false }), [
    'warning apply.dead-letters.foreign-keys apply.onBadRow',
  ]);
  assert.deepEqual(await found('replicator', { deadLetters: true }), []);
});
