import assert from 'node:assert/strict';
import { after, before, test, type TestContext } from 'node:test';
import { createSqlStaging } from '../../src/staging/sql/staging.js';
import type { Stage } from '../../src/staging/stage.js';
import { startGate, type Gate } from '../support/gate.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { at, upsert } from '../targets/postgres/apply-fixture.js';
import { createAttemptFixture } from './attempt-fixture.js';
import { createLoopFixture, incoming } from './loop-fixture.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY, v int)';
const row = (n: number, id: number) => incoming(upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": ${n}}`));

/** A stage in a database of its own right, behind a cable that can be pulled. */
async function openStageBehindGate(t: TestContext, stream: string): Promise<{ stage: Stage; gate: Gate }> {
  const gate = await startGate(postgres.port);
  const url = `postgresql://postgres@127.0.0.1:${gate.port}/postgres`;
  const staging = { connection: 'x', schema: 'postgres.stages', createSchema: true };
  const stage = await createSqlStaging(url, staging, 'test').open(stream);
  t.after(async () => {
    await stage.close();
    await gate.shut();
  });
  return { stage, gate };
}

test('the stage is away while the loop reads: it says so, waits, and applies everything once the stage is back', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  const { stage, gate } = await openStageBehindGate(t, fixture.stream);
  await stage.bind(1, at(0), 'plan');
  await stage.accept(1, [row(1, 1), row(2, 2)], at(0));
  await stage.resolve(1, at(5));
  await gate.shut();
  const loop = fixture.start({ stage });
  await until('two failures', () => (fixture.progress().incident?.attempts ?? 0) >= 2);
  assert.equal(fixture.progress().incident?.side, 'stage');
  assert.deepEqual(await fixture.rows('SELECT 1 FROM t'), []);
  await gate.open();
  assert.deepEqual(await loop.stopAt(at(5)), { ended: 'stopped', at: at(5) });
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t ORDER BY id'), [['1'], ['2']]);
  assert.equal(fixture.progress().incident, null);
});

test('the stage is away while an attempt takes over, and while it rests at T: the attempt goes on', async (t) => {
  const fixture = await createAttemptFixture(t, postgres);
  const { stage, gate } = await openStageBehindGate(t, 'attempt');
  await gate.shut();
  const told: (string | null)[] = [];
  const reports: bigint[] = [];
  const attempt = fixture.start(stage, {
    stopAt: () => at(1),
    onTrouble: (trouble) => told.push(trouble?.side ?? null),
    onHold: ({ seenUpTo }) => Promise.resolve(void reports.push(seenUpTo)),
  });
  await until('it is told', () => told.includes('stage'));
  await gate.open();
  const { incarnation } = await attempt.taken(1);
  await stage.accept(incarnation, [row(1, 1)], at(0));
  await stage.resolve(incarnation, at(2));
  await until('it rests', () => reports.includes(at(2)));
  await gate.shut();
  told.length = 0;
  await until('it is told again', () => told.includes('stage'));
  await gate.open();
  await until('it is over', () => told.includes(null));
  assert.deepEqual(await attempt.abort(), { ended: 'aborted' });
});
