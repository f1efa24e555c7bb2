import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BadRowError, TargetUnavailableError } from '../../../src/targets/failures.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';
import { createApplyFixture, remove, upsert, windowOf } from './apply-fixture.js';

let mariadb: Mariadb;
before(async () => {
  mariadb = await startMariadb();
});
after(() => mariadb.stop());

const account = (n: number, id: number, email: string, more = ''): ReturnType<typeof upsert> =>
  upsert(n, 0, `[${id}]`, `{"email": "${email}", "id": ${id}${more}}`);

const ACCOUNTS = `CREATE TABLE account (id int PRIMARY KEY, email varchar(40) NOT NULL UNIQUE, note varchar(20) DEFAULT 'none',
  raw varbinary(9), price double, single float, at datetime(6), b bit(3), twice int AS (id * 2) STORED)`;

test('a row of another key is never overwritten, whichever unique value it shares (invariant 9)', async (t) => {
  const fixture = await createApplyFixture(
    t,
    mariadb,
    [ACCOUNTS, `INSERT INTO account (id, email, note) VALUES (9, 'ann@x', 'mine'), (1, 'one@x', 'first')`],
    ['account'],
  );
  for (const [n, id] of [
    [1, 2],
    [2, 1],
  ] as const) {
    await assert.rejects(
      fixture.apply(n, [account(n, id, 'ann@x')]),
      (error) =>
        error instanceof BadRowError &&
        error.key === `[${id}]` &&
        error.code === '1062' &&
        !error.message.includes('ann@x') &&
        /key 'email'/.test(error.reason),
    );
  }
  assert.deepEqual(await fixture.rows('SELECT id, email, note FROM account ORDER BY id'), [
    ['1', 'one@x', 'first'],
    ['9', 'ann@x', 'mine'],
  ]);
});

test('a unique key that was added after the table was looked at is none that an upsert follows', async (t) => {
  const fixture = await createApplyFixture(
    t,
    mariadb,
    ['CREATE TABLE account (id int PRIMARY KEY, email varchar(40) NOT NULL)'],
    ['account'],
  );
  await fixture.apply(1, [account(1, 1, 'one@x')]);
  await fixture.admin.query('ALTER TABLE account ADD UNIQUE (email)');
  await assert.rejects(fixture.apply(2, [account(2, 2, 'one@x')]), BadRowError);
  assert.deepEqual(await fixture.rows('SELECT * FROM account'), [['1', 'one@x']]);
});

test('unique values change hands within a window, and columns that the source does not send stay as they are', async (t) => {
  const fixture = await createApplyFixture(
    t,
    mariadb,
    [
      ACCOUNTS,
      `INSERT INTO account (id, email, note, raw, price, single, at, b) VALUES
        (1, 'a@x', 'q''\\\\\\n', x'00ff27', 0.1e0 + 0.2e0, 16777216, '2024-02-29 12:00:00.123456', b'101'),
        (2, 'b@x', 'two', NULL, NULL, NULL, NULL, NULL), (3, 'c@x', 'three', x'', -0e0, 1.1, NULL, b'0'), (4, 'd@x', 'gone', NULL, 1e300, 0, NULL, NULL)`,
    ],
    ['account'],
  );
  const unsent = 'SELECT note, HEX(raw), price, single + 0e0, at, HEX(b), twice FROM account WHERE id < 4 ORDER BY id';
  const before = await fixture.rows(unsent);
  // A swap, a ring that passes a value on to a new row, and one that is freed by a delete.
  const figures = await fixture.apply(5, [
    account(1, 1, 'b@x'),
    account(1, 2, 'a@x'),
    remove(2, 0, '[4]'),
    account(2, 3, 'd@x'),
    account(3, 5, 'c@x'),
  ]);
  assert.deepEqual(figures, { upserts: 4, deletes: 1, inSourceOrder: false });
  assert.deepEqual(await fixture.rows('SELECT id, email FROM account ORDER BY id'), [
    ['1', 'b@x'],
    ['2', 'a@x'],
    ['3', 'd@x'],
    ['5', 'c@x'],
  ]);
  assert.deepEqual(await fixture.rows(unsent), before);
  // Across transactions of one window, and back again: the last state only.
  await fixture.apply(9, [account(6, 1, 'tmp'), account(7, 2, 'b@x'), account(8, 1, 'a@x')]);
  assert.deepEqual(await fixture.rows('SELECT id, email FROM account WHERE id < 3 ORDER BY id'), [
    ['1', 'a@x'],
    ['2', 'b@x'],
  ]);
});

const FAMILY = [
  'CREATE TABLE parent (id int PRIMARY KEY, code varchar(9) UNIQUE)',
  'CREATE TABLE child (id int PRIMARY KEY, parent int, boss int, FOREIGN KEY to_parent (parent) REFERENCES parent (id), FOREIGN KEY to_boss (boss) REFERENCES child (id))',
];
const parent = (n: number, id: number, code: string): ReturnType<typeof upsert> =>
  upsert(n, 0, `[${id}]`, `{"code": "${code}", "id": ${id}}`);
const child = (n: number, id: number, of: number | null, boss: number | null = null): ReturnType<typeof upsert> =>
  upsert(n, 1, `[${id}]`, `{"boss": ${boss ?? 'null'}, "id": ${id}, "parent": ${of ?? 'null'}}`);

for (const enforcementOff of [false, true]) {
  test(`foreign keys with enforcement ${enforcementOff ? 'off' : 'on'}: parents and children come and go in one transaction, rings too`, async (t) => {
    const fixture = await createApplyFixture(t, mariadb, FAMILY, ['parent', 'child'], { enforcementOff });
    await fixture.apply(1, [child(1, 1, 7), parent(1, 7, 'x'), parent(1, 8, 'y')]);
    // Re-pointed to a parent that is new while the old one goes.
    await fixture.apply(2, [remove(2, 0, '[7]'), child(2, 1, 9), parent(2, 9, 'z')]);
    // A ring, and a swap of the parents' unique values under their children.
    await fixture.apply(3, [child(3, 2, null, 3), child(3, 3, null, 2), parent(3, 8, 'z'), parent(3, 9, 'y')]);
    await fixture.apply(4, [remove(4, 1, '[2]'), remove(4, 1, '[3]')]);
    assert.deepEqual(await fixture.rows('SELECT * FROM child'), [['1', '9', null]]);
    assert.deepEqual(await fixture.rows('SELECT * FROM parent ORDER BY id'), [
      ['8', 'z'],
      ['9', 'y'],
    ]);
  });
}

test('what a foreign key refuses is refused with enforcement on, in whichever way it was tried, and taken with it off', async (t) => {
  const on = await createApplyFixture(t, mariadb, FAMILY, ['parent', 'child']);
  await on.apply(1, [parent(1, 1, 'a'), child(1, 1, 1)]);
  const cases = [
    [child(2, 2, 77), '[2]', '1452'],
    [remove(2, 0, '[1]'), '[1]', '1451'],
  ] as const;
  for (const [change, key, code] of cases) {
    await assert.rejects(
      on.apply(2, [change, parent(2, 5, 'e')]),
      (error) => error instanceof BadRowError && error.key === key && error.code === code,
    );
  }
  assert.deepEqual(await on.rows('SELECT * FROM parent'), [['1', 'a']]);
  const off = await createApplyFixture(t, mariadb, FAMILY, ['parent', 'child'], { enforcementOff: true });
  await off.apply(1, [child(1, 2, 77)]);
  assert.deepEqual(await off.rows('SELECT * FROM child'), [['2', '77', null]]);
});

test('foreign keys that act do so with enforcement on, and leave alone what the stream itself says', async (t) => {
  const ddl = [
    'CREATE TABLE parent (id int PRIMARY KEY, code varchar(9) UNIQUE)',
    'CREATE TABLE child (id int PRIMARY KEY, parent int, boss int, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE CASCADE)',
    'CREATE TABLE outside (parent int, FOREIGN KEY (parent) REFERENCES parent (id) ON DELETE SET NULL)',
  ];
  const fixture = await createApplyFixture(t, mariadb, ddl, ['parent', 'child']);
  await fixture.apply(1, [parent(1, 1, 'a'), parent(1, 2, 'b'), child(1, 1, 1), child(1, 2, 1)]);
  await fixture.admin.query('INSERT INTO outside VALUES (1), (2)');
  // A swap under children: their parents' rows come back, so that nothing happens to them.
  await fixture.apply(2, [parent(2, 1, 'b'), parent(2, 2, 'a')]);
  assert.deepEqual(await fixture.rows('SELECT id, parent FROM child ORDER BY id'), [
    ['1', '1'],
    ['2', '1'],
  ]);
  await fixture.apply(3, [remove(3, 0, '[1]'), child(3, 1, 2), remove(3, 1, '[2]')]);
  assert.deepEqual(await fixture.rows('SELECT id, parent FROM child'), [['1', '2']]);
  assert.deepEqual(await fixture.rows('SELECT parent FROM outside ORDER BY parent'), [[null], ['2']]);
});

test('a change that the target will never take is put aside, and the rest is written (protocol rule 28)', async (t) => {
  const fixture = await createApplyFixture(
    t,
    mariadb,
    [ACCOUNTS, `INSERT INTO account (id, email) VALUES (9, 'taken@x')`],
    ['account'],
    { onBadRow: 'deadLetter' },
  );
  const figures = await fixture.apply(1, [
    account(1, 1, 'one@x'),
    account(1, 2, 'taken@x'),
    account(1, 3, 'long@x'.repeat(20)),
    account(1, 4, 'four@x'),
  ]);
  assert.equal(figures.upserts, 2);
  assert.deepEqual(await fixture.rows('SELECT id FROM account ORDER BY id'), [['1'], ['4'], ['9']]);
  assert.deepEqual(
    await fixture.rows('SELECT key_text, column_name, error_code FROM failback_dead_letters ORDER BY key_text'),
    [
      ['[2]', null, '1062'],
      ['[3]', 'email', '1406'],
    ],
  );
});

test('a lock that somebody holds and a deadlock are told apart from a bad row: the same again succeeds', async (t) => {
  const fixture = await createApplyFixture(t, mariadb, [ACCOUNTS], ['account']);
  await fixture.apply(1, [account(1, 1, 'one@x'), account(1, 2, 'two@x')]);
  await fixture.admin.query('BEGIN');
  await fixture.admin.query('SELECT * FROM account WHERE id = 1 FOR UPDATE');
  await assert.rejects(
    fixture.apply(2, [account(2, 1, 'uno@x')]),
    (error) => error instanceof TargetUnavailableError && error.code === '1205',
  );
  await fixture.admin.query('ROLLBACK');
  await fixture.apply(2, [account(2, 1, 'uno@x')]);

  // Each waits for what the other has; the server chooses one, the lighter one, which is ours.
  await fixture.admin.query('BEGIN');
  await fixture.admin.query(`UPDATE account SET note = 'heavy' WHERE id = 2`);
  await fixture.admin.query(`INSERT INTO account (id, email) SELECT seq, concat('bulk', seq) FROM seq_1000_to_1999`);
  const applying = fixture.apply(3, [
    upsert(3, 0, '[1]', '{"email": "eins@x", "id": 1}'),
    upsert(3, 0, '[2]', '{"email": "zwei@x", "id": 2}'),
  ]);
  const refused = assert.rejects(
    applying,
    (error) => error instanceof TargetUnavailableError && ['1213', '1205'].includes(error.code),
  );
  await fixture.admin.query('SELECT * FROM account WHERE id = 1 FOR UPDATE').catch(() => undefined);
  await refused;
  await fixture.admin.query('ROLLBACK');
  await fixture.apply(3, [account(3, 1, 'eins@x')]);
  assert.deepEqual(await fixture.rows('SELECT email FROM account ORDER BY id'), [['eins@x'], ['two@x']]);
});

test('a window under a token that is no longer ours writes nothing (protocol rule C)', async (t) => {
  const fixture = await createApplyFixture(t, mariadb, [ACCOUNTS], ['account']);
  const other = await fixture.open();
  await other.takeToken('another');
  await assert.rejects(fixture.apply(1, [account(1, 1, 'one@x')]), { name: 'FenceLostError' });
  await other.apply('another', windowOf(0, 1, [account(1, 1, 'other@x')]));
  assert.deepEqual(await fixture.rows('SELECT email FROM account'), [['other@x']]);
});
