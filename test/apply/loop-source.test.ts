import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { SourceCheck } from '../../src/apply/source-check.js';
import type { Hlc } from '../../src/domain/hlc.js';
import { SourceChangedError } from '../../src/domain/source-identity.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { at, remove, upsert } from '../targets/postgres/apply-fixture.js';
import { createLoopFixture, SAME_SOURCE } from './loop-fixture.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

const TABLE = 'CREATE TABLE t (id int PRIMARY KEY, v int)';
const row = (n: number, id: number) => upsert(n, 0, `[${id}]`, `{"id": ${id}, "v": 1}`);
const gone = (n: number, id: number) => remove(n, 0, `[${id}]`);
const OTHER_KEY = new SourceChangedError('Source.KeyChanged', 'another key');
const OTHER_TABLE = new SourceChangedError('Source.TableChanged', 'another table');

/** A source whose key is another one from timestamp `n` on. */
function otherKeyFrom(n: number, asked: Hlc[] = []): SourceCheck {
  return {
    ...SAME_SOURCE,
    firstOtherKey(times) {
      asked.push(...times);
      const first = times.find((time) => time >= at(n));
      return Promise.resolve(first === undefined ? null : { at: first, error: OTHER_KEY });
    },
  };
}

test('a delete with another key is not applied, everything before it is, and the loop halts there (protocol rule 8)', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  const asked: Hlc[] = [];
  await fixture.stageRows([row(1, 1), row(2, 2), row(3, 3), gone(4, 1), row(5, 5), gone(6, 2), row(7, 7), gone(8, 3)]);
  await fixture.resolve(9);
  const loop = fixture.start({ source: otherKeyFrom(6, asked) });
  assert.deepEqual(await loop.stopAt(at(9)), { ended: 'halted', error: OTHER_KEY });
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t ORDER BY id'), [['2'], ['3'], ['5']]);
  assert.deepEqual(new Set(asked), new Set([at(4), at(6), at(8)]), 'only deletes are asked about');
});

test('windows without a delete go on without a question: an upsert proves its key itself', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  const asked: Hlc[] = [];
  await fixture.stageRows([row(1, 1), row(2, 2)]);
  await fixture.resolve(2);
  const loop = fixture.start({ source: otherKeyFrom(0, asked) });
  assert.deepEqual(await loop.stopAt(at(2)), { ended: 'stopped', at: at(2) });
  assert.deepEqual(asked, []);
});

test('another key halts the loop once all that is resolved is applied (protocol rule 8)', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  await fixture.stageRows([row(1, 1), row(2, 2), row(3, 3)]);
  await fixture.resolve(3);
  const source: SourceCheck = { ...SAME_SOURCE, changed: () => OTHER_KEY };
  const loop = fixture.start({ source, limits: { rows: 1, bytes: 1_000_000 } });
  assert.deepEqual(await loop.ended, { ended: 'halted', error: OTHER_KEY });
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t ORDER BY id'), [['1'], ['2'], ['3']]);
});

test('another table halts the loop at once (protocol rule 9)', async (t) => {
  const fixture = await createLoopFixture(t, postgres, TABLE, ['t']);
  await fixture.stageRows([row(1, 1)]);
  await fixture.resolve(1);
  const loop = fixture.start({ source: { ...SAME_SOURCE, changed: () => OTHER_TABLE } });
  assert.deepEqual(await loop.ended, { ended: 'halted', error: OTHER_TABLE });
  assert.deepEqual(await fixture.rows('SELECT id::text FROM t'), []);
});
