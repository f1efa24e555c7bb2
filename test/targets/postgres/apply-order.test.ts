import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import { BadRowError, SchemaMismatchError, TargetRefusedError } from '../../../src/targets/failures.js';
import type { ApplyMutation } from '../../../src/targets/target.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { createApplyFixture, remove, upsert, windowOf } from './apply-fixture.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

const FAMILY = `
  CREATE TABLE parent (id int PRIMARY KEY, name text UNIQUE, favourite int);
  CREATE TABLE child (id int PRIMARY KEY, parent int NOT NULL REFERENCES parent ON DELETE CASCADE, nick text UNIQUE);
  ALTER TABLE parent ADD FOREIGN KEY (favourite) REFERENCES child;
  INSERT INTO parent VALUES (1, 'one'), (2, 'two');
  INSERT INTO child VALUES (10, 1, 'a'), (11, 1, 'b'), (20, 2, 'c')`;
const parent = (n: number, id: number, name: string, favourite: number | null = null): ApplyMutation =>
  upsert(n, 0, `[${id}]`, `{"favourite": ${favourite}, "id": ${id}, "name": "${name}"}`);
const child = (n: number, id: number, of: number, nick: string): ApplyMutation =>
  upsert(n, 1, `[${id}]`, `{"id": ${id}, "nick": "${nick}", "parent": ${of}}`);

interface Case {
  readonly name: string;
  readonly changes: readonly ApplyMutation[];
  readonly parents: string;
  readonly children: string;
}

/** Windows that a naive order breaks; the state that the source has at their end. */
const CASES: readonly Case[] = [
  {
    name: 'parents before children, children deleted before parents',
    changes: [child(1, 30, 3, 'd'), parent(1, 3, 'three'), remove(2, 0, '[2]'), remove(2, 1, '[20]')],
    parents: '1 one -,3 three -',
    children: '10>1 a,11>1 b,30>3 d',
  },
  {
    name: 'a child re-pointed before its parent goes: a cascade must not take it',
    changes: [child(1, 20, 1, 'c'), remove(1, 0, '[2]')],
    parents: '1 one -',
    children: '10>1 a,11>1 b,20>1 c',
  },
  {
    name: 'a cycle of references made in one transaction',
    changes: [parent(1, 3, 'three', 30), child(1, 30, 3, 'd')],
    parents: '1 one -,2 two -,3 three 30',
    children: '10>1 a,11>1 b,20>2 c,30>3 d',
  },
  {
    name: 'a cycle of references unmade in one transaction',
    changes: [
      parent(1, 3, 'three', 30),
      child(1, 30, 3, 'd'),
      remove(2, 0, '[3]'),
      remove(2, 1, '[30]'),
      parent(3, 1, 'uno'),
    ],
    parents: '1 uno -,2 two -',
    children: '10>1 a,11>1 b,20>2 c',
  },
  {
    name: 'a unique value handed from row to row over time',
    changes: [parent(1, 1, 'was one'), parent(2, 2, 'one'), parent(3, 1, 'two')],
    parents: '1 two -,2 one -',
    children: '10>1 a,11>1 b,20>2 c',
  },
  {
    name: 'a unique value handed over by a delete, in one transaction',
    changes: [remove(1, 1, '[10]'), child(1, 40, 2, 'a')],
    parents: '1 one -,2 two -',
    children: '11>1 b,20>2 c,40>2 a',
  },
  {
    name: 'unique values swapped in one transaction',
    changes: [child(1, 10, 1, 'b'), child(1, 11, 1, 'a')],
    parents: '1 one -,2 two -',
    children: '10>1 b,11>1 a,20>2 c',
  },
];

for (const replicationRole of [false, true]) {
  for (const flushSize of [1, 1000]) {
    const how = `${replicationRole ? 'with' : 'without'} the replication role, ${flushSize} rows a statement`;
    test(`order: ${how}`, async (t) => {
      for (const { name, changes, parents, children } of CASES) {
        await t.test(name, async (t) => {
          const fixture = await createApplyFixture(t, postgres, FAMILY, ['parent', 'child']);
          await fixture.admin.query(GRANTS);
          const session = await fixture.open({
            enforcementOff: replicationRole,
            flushSize,
            ...(replicationRole ? {} : { connectionString: postgres.url(fixture.database, 'applier') }),
          });
          const last = changes.length === 0 ? 0 : 9;
          await session.apply(fixture.token, windowOf(0, last, changes));
          const found = await fixture.rows(
            `SELECT (SELECT string_agg(concat_ws(' ', id, name, coalesce(favourite::text, '-')), ',' ORDER BY id) FROM parent),
                    (SELECT string_agg(concat(id, '>', parent, ' ', nick), ',' ORDER BY id) FROM child)`,
          );
          assert.deepEqual(found, [[parents, children]]);
        });
      }
    });
  }
}

/** A role that may write rows, and may not switch enforcement off. */
const GRANTS = `
  DO $$ BEGIN CREATE ROLE applier LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
  GRANT USAGE ON SCHEMA _failback, public TO applier;
  GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA _failback, public TO applier`;

test('deferred constraints are checked in the window, and named with the row', async (t) => {
  const ddl = `CREATE TABLE p (id int PRIMARY KEY);
    CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p DEFERRABLE INITIALLY DEFERRED, u int UNIQUE DEFERRABLE INITIALLY DEFERRED)`;
  const fixture = await createApplyFixture(t, postgres, ddl, ['c', 'p']);
  const session = await fixture.open();
  // The plan lists the child first, so that only deferral saves the order.
  const rows = [
    upsert(1, 0, '[1]', '{"id": 1, "p": 1, "u": 1}'),
    upsert(1, 0, '[2]', '{"id": 2, "p": 1, "u": 2}'),
    upsert(2, 1, '[1]', '{"id": 1}'),
  ];
  assert.equal((await session.apply(fixture.token, windowOf(0, 2, rows))).inSourceOrder, false);
  const swap = [upsert(3, 0, '[1]', '{"id": 1, "p": 1, "u": 2}'), upsert(3, 0, '[2]', '{"id": 2, "p": 1, "u": 1}')];
  assert.equal((await session.apply(fixture.token, windowOf(2, 3, swap))).inSourceOrder, false);
  const orphan = [upsert(4, 0, '[3]', '{"id": 3, "p": 99, "u": 3}')];
  await assert.rejects(session.apply(fixture.token, windowOf(3, 4, orphan)), {
    name: 'BadRowError',
    code: '23503',
    key: '[3]',
  });
});

test('triggers are silent with the replication role; enforcement is off for the transaction only (protocol rule 25)', async (t) => {
  const ddl = `${FAMILY}; CREATE TABLE doubled (n int);
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO doubled VALUES (1); RETURN NULL; END';
    CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON child FOR EACH ROW EXECUTE FUNCTION note()`;
  const fixture = await createApplyFixture(t, postgres, ddl, ['parent', 'child']);
  const session = await fixture.open({ enforcementOff: true });
  await session.apply(fixture.token, windowOf(0, 1, [child(1, 10, 2, 'z'), remove(1, 0, '[1]')]));
  assert.deepEqual(await fixture.rows('SELECT * FROM doubled'), []);
  // The cascade was silent too: child 11 waits for the changefeed's own delete.
  assert.deepEqual(await fixture.rows('SELECT id::text FROM child ORDER BY id'), [['10'], ['11'], ['20']]);
  // Seen from within the session: by a trigger that fires always, in a transaction of the session's after the window.
  await fixture.admin.query(`CREATE TABLE seen (role text);
    CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN INSERT INTO seen VALUES (current_setting(''session_replication_role'')); RETURN NULL; END';
    CREATE TRIGGER see AFTER UPDATE ON _failback.checkpoint FOR EACH ROW EXECUTE FUNCTION see();
    ALTER TABLE _failback.checkpoint ENABLE ALWAYS TRIGGER see`);
  await session.apply(fixture.token, windowOf(1, 2, [child(2, 10, 2, 'y')]));
  await session.bind(fixture.token, 'stage', 1);
  assert.deepEqual(await fixture.rows('SELECT role FROM seen'), [['replica'], ['origin']]);
});

const SECRET = 'canary-4711';

test('a row refused for good is found, named by its key, and nothing of the window is applied', async (t) => {
  const ddl = `
    CREATE TABLE t (id int PRIMARY KEY, n int2, name varchar(20) NOT NULL, mood text CHECK (mood <> '${SECRET}'), at timestamp);
    CREATE TABLE u (id int PRIMARY KEY, name text);
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      'BEGIN IF NEW.name = ''${SECRET}'' THEN RAISE EXCEPTION ''no % here'', NEW.name; END IF; RETURN NEW; END';
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON u FOR EACH ROW EXECUTE FUNCTION refuse()`;
  const bad: readonly (readonly [string, string, ApplyMutation])[] = [
    ['22003', 'overflow', upsert(70, 0, '[7000]', '{"id": 7000, "n": 4711471, "name": "x"}')],
    ['22001', 'too long', upsert(70, 0, '[7000]', `{"id": 7000, "name": "${SECRET} and then very much more"}`)],
    ['22P02', 'not a number', upsert(70, 0, '[7000]', `{"id": 7000, "n": "${SECRET}", "name": "x"}`)],
    ['22007', 'not a time', upsert(70, 0, '[7000]', `{"at": "${SECRET}", "id": 7000, "name": "x"}`)],
    [
      '22P05',
      'a character that no text can hold',
      upsert(70, 0, '[7000]', String.raw`{"id": 7000, "name": "${SECRET}\u0000"}`),
    ],
    ['23502', 'null', upsert(70, 0, '[7000]', `{"id": 7000, "mood": "${SECRET}x", "name": null}`)],
    ['23514', 'check', upsert(70, 0, '[7000]', `{"id": 7000, "mood": "${SECRET}", "name": "x"}`)],
    ['P0001', 'trigger', upsert(70, 1, '[7000]', `{"id": 7000, "name": "${SECRET}"}`)],
  ];
  /** PostgreSQL names the column of a NULL only. A check and a trigger judge the row. */
  const columnOf: Readonly<Record<string, string>> = {
    overflow: 'n',
    'too long': 'name',
    'not a number': 'n',
    'not a time': 'at',
    'a character that no text can hold': 'name',
    null: 'name',
  };
  const fixture = await createApplyFixture(t, postgres, ddl, ['t', 'u']);
  const good = Array.from({ length: 200 }, (_, i) =>
    upsert(
      1 + (i % 99),
      i % 2,
      `[${i}]`,
      i % 2 === 0 ? `{"id": ${i}, "n": 1, "name": "n${i}"}` : `{"id": ${i}, "name": "n"}`,
    ),
  );
  for (const [code, name, row] of bad) {
    await t.test(name, async () => {
      const session = await fixture.open({ flushSize: 50 });
      const inOrder = [...good, row].sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
      await assert.rejects(session.apply(fixture.token, windowOf(0, 100, inOrder)), (error: unknown) => {
        assert.ok(error instanceof BadRowError, inspect(error));
        assert.equal(error.code, code);
        assert.equal(error.key, '[7000]');
        assert.equal(error.column, columnOf[name] ?? null);
        assert.equal(error.table, row.table === 0 ? 'public.t' : 'public.u');
        const everything = `${inspect(error, { depth: Infinity, showHidden: true })} ${error.stack}`;
        assert.ok(!everything.includes(SECRET) && !everything.includes('4711471'), everything);
        return true;
      });
      assert.deepEqual(await fixture.rows('SELECT 1 FROM t UNION ALL SELECT 1 FROM u'), []);
      assert.equal(await fixture.applied(), '1759246920563173000.0000000000');
      // The session goes on: the transaction was rolled back whole.
      assert.equal((await session.readLocked())?.token, fixture.token);
    });
  }
});

test('a column or a table that the target lacks halts with the statement that mends it, and goes on once it is mended', async (t) => {
  const fixture = await createApplyFixture(t, postgres, 'CREATE TABLE t (id int PRIMARY KEY)', ['t', 'missing']);
  const session = await fixture.open();
  await session.apply(fixture.token, windowOf(0, 1, [upsert(1, 0, '[1]', '{"id": 1}')]));
  const withColumn = windowOf(1, 2, [upsert(2, 0, '[1]', '{"extra": "e", "id": 1}')]);
  await assert.rejects(session.apply(fixture.token, withColumn), (error: unknown) => {
    assert.ok(error instanceof SchemaMismatchError);
    assert.equal(error.column, 'extra');
    assert.match(error.message, /ALTER TABLE "public"."t" ADD COLUMN "extra"/);
    return true;
  });
  await fixture.admin.query('ALTER TABLE t ADD COLUMN extra text');
  await session.apply(fixture.token, withColumn);
  assert.deepEqual(await fixture.rows('SELECT extra FROM t'), [['e']]);
  const missing = windowOf(2, 3, [upsert(3, 1, '[1]', '{"id": 1}')]);
  await assert.rejects(session.apply(fixture.token, missing), { name: 'SchemaMismatchError', table: 'public.missing' });
});

test('a missing privilege is refused with its code, at once', async (t) => {
  const fixture = await createApplyFixture(t, postgres, 'CREATE TABLE t (id int PRIMARY KEY)', ['t']);
  await fixture.admin.query(GRANTS);
  await fixture.admin.query('REVOKE DELETE ON t FROM applier');
  const connectionString = postgres.url(fixture.database, 'applier');
  const session = await fixture.open({ connectionString });
  await session.apply(fixture.token, windowOf(0, 1, [upsert(1, 0, '[1]', '{"id": 1}')]));
  await assert.rejects(session.apply(fixture.token, windowOf(1, 2, [remove(2, 0, '[1]')])), (error: unknown) => {
    assert.ok(error instanceof TargetRefusedError);
    assert.equal(error.code, '42501');
    return true;
  });
  const enforced = await fixture.open({ connectionString, enforcementOff: true });
  await assert.rejects(enforced.apply(fixture.token, windowOf(1, 2, [upsert(2, 0, '[2]', '{"id": 2}')])), {
    name: 'TargetRefusedError',
    code: '42501',
  });
});

/** Each is one transaction of the source that no order of its rows can repeat: what is in the way must be gone first. */
interface HandOver {
  readonly name: string;
  readonly ddl: string;
  readonly tables: readonly string[];
  readonly changes: readonly ApplyMutation[];
  readonly sql: string;
  readonly rows: readonly (readonly (string | null)[])[];
}

const HAND_OVERS: readonly HandOver[] = [
  {
    name: 'unique values swapped where a foreign key would cascade: no child is lost',
    ddl: FAMILY,
    tables: ['parent', 'child'],
    changes: [parent(1, 1, 'two'), parent(1, 2, 'one')],
    sql: `SELECT name, (SELECT string_agg(c.nick, ' ' ORDER BY nick) FROM child AS c WHERE c.parent = p.id) FROM parent AS p ORDER BY id`,
    rows: [
      ['two', 'a b'],
      ['one', 'c'],
    ],
  },
  {
    name: 'unique values swapped where the row has more columns than were sent: they keep their values',
    ddl: `CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, only_here text DEFAULT 'new', double int GENERATED ALWAYS AS (u * 2) STORED);
      INSERT INTO t VALUES (1, 1, 'a'), (2, 2, NULL)`,
    tables: ['t'],
    changes: [
      upsert(1, 0, '[1]', '{"id": 1, "u": 2}'),
      upsert(1, 0, '[2]', '{"id": 2, "u": 3}'),
      upsert(1, 0, '[3]', '{"id": 3, "u": 1}'),
    ],
    sql: 'SELECT id::text, u::text, only_here, double::text FROM t ORDER BY id',
    rows: [
      ['1', '2', 'a', '4'],
      ['2', '3', null, '6'],
      ['3', '1', 'new', '2'],
    ],
  },
  {
    name: 'unique values swapped where RESTRICT, SET NULL and columns of their own hold on to the rows',
    ddl: `CREATE TABLE p (id int PRIMARY KEY, u int UNIQUE);
      CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE RESTRICT, q int NOT NULL REFERENCES p ON DELETE SET NULL,
        here float8, words text[], at timestamptz);
      CREATE TABLE d (id int PRIMARY KEY, c int REFERENCES c);
      INSERT INTO p VALUES (1, 1), (2, 2); INSERT INTO d VALUES (5);
      INSERT INTO c VALUES (7, 1, 2, 0.1, '{"a,b",NULL,""}', 'infinity'); INSERT INTO d VALUES (8, 7)`,
    tables: ['p', 'c', 'd'],
    changes: [upsert(1, 0, '[1]', '{"id": 1, "u": 2}'), upsert(1, 0, '[2]', '{"id": 2, "u": 1}')],
    sql: `SELECT (SELECT string_agg(p::text, ' ' ORDER BY id) FROM p), (SELECT string_agg(c::text, ' ') FROM c), (SELECT string_agg(d::text, ' ' ORDER BY id) FROM d)`,
    rows: [['(1,2) (2,1)', `(7,1,2,0.1,"{""a,b"",NULL,""""}",infinity)`, '(5,) (8,7)']],
  },
  {
    name: 'rows that change places under an exclusion constraint',
    ddl: `CREATE TABLE booking (id int PRIMARY KEY, lo int, hi int, EXCLUDE USING gist (int4range(lo, hi) WITH &&));
      INSERT INTO booking VALUES (1, 1, 5), (2, 5, 9)`,
    tables: ['booking'],
    changes: [upsert(1, 0, '[1]', '{"hi": 9, "id": 1, "lo": 5}'), upsert(1, 0, '[2]', '{"hi": 5, "id": 2, "lo": 1}')],
    sql: `SELECT string_agg(b::text, ' ' ORDER BY id) FROM booking AS b`,
    rows: [['(1,5,9) (2,1,5)']],
  },
  {
    name: 'unique by an expression, and among some rows only',
    ddl: `CREATE TABLE p (id int PRIMARY KEY, name text, main boolean);
      CREATE UNIQUE INDEX ON p (lower(name)); CREATE UNIQUE INDEX ON p ((1)) WHERE main;
      CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p ON DELETE CASCADE);
      INSERT INTO p VALUES (1, 'A', false), (2, 'B', true); INSERT INTO c VALUES (1, 1), (2, 2)`,
    tables: ['p', 'c'],
    changes: [
      upsert(1, 0, '[1]', '{"id": 1, "main": true, "name": "b"}'),
      upsert(1, 0, '[2]', '{"id": 2, "main": false, "name": "a"}'),
    ],
    sql: `SELECT (SELECT string_agg(p::text, ' ' ORDER BY id) FROM p), (SELECT string_agg(c::text, ' ' ORDER BY id) FROM c)`,
    rows: [['(1,b,t) (2,a,f)', '(1,1) (2,2)']],
  },
  {
    name: 'a referenced value that passes to another row: the cascade of the first takes no child of the second',
    ddl: `CREATE TABLE p (id int PRIMARY KEY, code text UNIQUE);
      CREATE TABLE c (id int PRIMARY KEY, p text REFERENCES p (code) ON DELETE CASCADE ON UPDATE CASCADE);
      INSERT INTO p VALUES (1, 'x'); INSERT INTO c VALUES (5, 'x'), (6, 'x')`,
    tables: ['p', 'c'],
    // The source deleted parent 1 with its children, and made child 5 again under parent 2.
    changes: [
      remove(1, 0, '[1]'),
      upsert(1, 0, '[2]', '{"code": "x", "id": 2}'),
      upsert(1, 1, '[5]', '{"id": 5, "p": "x"}'),
      remove(1, 1, '[6]'),
    ],
    sql: `SELECT (SELECT string_agg(p::text, ' ') FROM p), (SELECT string_agg(c::text, ' ') FROM c)`,
    rows: [['(2,x)', '(5,x)']],
  },
  {
    name: 'referenced values that move on in a ring: no cascade changes a row that has its last value',
    ddl: `CREATE TABLE node (id int PRIMARY KEY, code text NOT NULL UNIQUE, above text REFERENCES node (code) ON UPDATE CASCADE);
      INSERT INTO node VALUES (2, 'x', NULL), (3, 'z', NULL), (1, 'c', 'z')`,
    tables: ['node'],
    changes: [
      upsert(1, 0, '[1]', '{"above": "x", "code": "c", "id": 1}'),
      upsert(1, 0, '[2]', '{"above": null, "code": "y", "id": 2}'),
      upsert(1, 0, '[3]', '{"above": null, "code": "x", "id": 3}'),
    ],
    sql: `SELECT string_agg(node::text, ' ' ORDER BY id) FROM node`,
    rows: [['(1,c,x) (2,y,) (3,x,)']],
  },
  {
    name: 'unique values swapped in columns with limits, where the rows have a key that PostgreSQL spells otherwise',
    ddl: `CREATE DOMAIN amount AS numeric(5,2);
      CREATE TABLE t (code varchar(3), at timestamp(3), u amount UNIQUE, here name DEFAULT 'new', PRIMARY KEY (code, at));
      CREATE TABLE c (id int PRIMARY KEY, code varchar(3), at timestamp(3), FOREIGN KEY (code, at) REFERENCES t ON DELETE CASCADE);
      INSERT INTO t VALUES ('abc', '-infinity', 1.5, 'a'), ('abd', '0044-03-15 00:00:00.5 BC', 2.5, 'b');
      INSERT INTO c VALUES (1, 'abc', '-infinity'), (2, 'abd', '0044-03-15 00:00:00.5 BC')`,
    tables: ['t:code,at', 'c'],
    changes: [
      upsert(1, 0, '["abc","-4713-11-24T00:00:00"]', '{"at": "-4713-11-24T00:00:00", "code": "abc", "u": 2.5}'),
      upsert(1, 0, '["abd","-0043-03-15T00:00:00.5"]', '{"at": "-0043-03-15T00:00:00.5", "code": "abd", "u": 1.5}'),
    ],
    sql: `SELECT (SELECT string_agg(t::text, ' ' ORDER BY code) FROM t), (SELECT string_agg(c::text, ' ' ORDER BY id) FROM c)`,
    rows: [
      [
        '(abc,-infinity,2.50,a) (abd,"0044-03-15 00:00:00.5 BC",1.50,b)',
        '(1,abc,-infinity) (2,abd,"0044-03-15 00:00:00.5 BC")',
      ],
    ],
  },
  {
    name: 'unique values swapped beside a row that keeps its own, spelled otherwise, which must not be touched',
    ddl: `CREATE TABLE p (id int PRIMARY KEY, u numeric(5,2) UNIQUE, note text);
      CREATE TABLE outside (id int PRIMARY KEY, p int REFERENCES p ON DELETE RESTRICT);
      INSERT INTO p VALUES (1, 1.5, 'old'), (2, 2, 'two'), (3, 3, 'three'); INSERT INTO outside VALUES (1, 1)`,
    tables: ['p'],
    changes: [
      upsert(1, 0, '[2]', '{"id": 2, "note": "two", "u": 3}'),
      upsert(1, 0, '[1]', '{"id": 1, "note": "new", "u": 1.5}'),
      upsert(1, 0, '[3]', '{"id": 3, "note": "three", "u": 2}'),
    ],
    sql: `SELECT string_agg(p::text, ' ' ORDER BY id) FROM p`,
    rows: [['(1,1.50,new) (2,3.00,two) (3,2.00,three)']],
  },
  {
    name: 'unique values swapped beside the deletes of a row and of a key that PostgreSQL cannot keep',
    ddl: `CREATE TABLE p (id text PRIMARY KEY, u int UNIQUE);
      CREATE TABLE c (id int PRIMARY KEY, p text REFERENCES p ON DELETE CASCADE);
      INSERT INTO p VALUES ('a', 1), ('b', 2), ('gone', 3); INSERT INTO c VALUES (1, 'a'), (2, 'b')`,
    tables: ['p', 'c'],
    changes: [
      upsert(1, 0, '["a"]', '{"id": "a", "u": 2}'),
      upsert(1, 0, '["b"]', '{"id": "b", "u": 1}'),
      remove(1, 0, String.raw`["x\u0000"]`),
      remove(1, 0, '["gone"]'),
    ],
    sql: `SELECT (SELECT string_agg(p::text, ' ' ORDER BY id) FROM p), (SELECT string_agg(c::text, ' ' ORDER BY id) FROM c)`,
    rows: [['(a,2) (b,1)', '(1,a) (2,b)']],
  },
];

for (const enforcementOff of [false, true]) {
  for (const flushSize of [1, 1000]) {
    const how = `enforcement ${enforcementOff ? 'off' : 'on'}, ${flushSize} rows a statement`;
    test(`values change hands within a transaction: ${how}`, async (t) => {
      for (const { name, ddl, tables, changes, sql, rows } of HAND_OVERS) {
        await t.test(name, async (t) => {
          const fixture = await createApplyFixture(t, postgres, ddl, tables);
          const session = await fixture.open({ enforcementOff, flushSize });
          await session.apply(fixture.token, windowOf(0, 1, changes));
          assert.deepEqual(await fixture.rows(sql), rows);
        });
      }
    });
  }
}

test('a bad row is named, not one whose unique value changes hands beside it', async (t) => {
  const ddl = `CREATE TABLE t (id int PRIMARY KEY, u int UNIQUE, n int CHECK (n > 0));
    INSERT INTO t SELECT n, n, 1 FROM generate_series(1, 8) AS n`;
  const fixture = await createApplyFixture(t, postgres, ddl, ['t']);
  const session = await fixture.open();
  // All change places with their neighbours; the sixth breaks the check.
  const rows = Array.from({ length: 8 }, (_, i) =>
    upsert(1, 0, `[${i + 1}]`, `{"id": ${i + 1}, "n": ${i === 5 ? 0 : 1}, "u": ${((i + 1) % 8) + 1}}`),
  );
  await assert.rejects(session.apply(fixture.token, windowOf(0, 1, rows)), {
    name: 'BadRowError',
    code: '23514',
    key: '[6]',
  });
});

test('a table outside the stream references the rows that would have to go: refused, and nothing is lost', async (t) => {
  const fixture = await createApplyFixture(t, postgres, FAMILY, ['parent']);
  const session = await fixture.open();
  const swap = [parent(1, 1, 'two'), parent(1, 2, 'one')];
  await assert.rejects(session.apply(fixture.token, windowOf(0, 1, swap)), { name: 'BadRowError', code: '23505' });
  assert.equal((await fixture.rows('SELECT 1 FROM child')).length, 3);
  const silent = await fixture.open({ enforcementOff: true });
  await silent.apply(fixture.token, windowOf(0, 1, swap));
  assert.deepEqual(await fixture.rows('SELECT name FROM parent ORDER BY id'), [['two'], ['one']]);
  assert.equal((await fixture.rows('SELECT 1 FROM child')).length, 3);
});

test('a transient error is not taken for a bad row: it ends the transaction (protocol rule 21)', async (t) => {
  const ddl = 'CREATE TABLE t (id int PRIMARY KEY, v int); INSERT INTO t VALUES (1, 1)';
  const fixture = await createApplyFixture(t, postgres, ddl, ['t']);
  const session = await fixture.open({ lockTimeoutMs: 100 });
  await fixture.admin.query('BEGIN; UPDATE t SET v = 5');
  const rows = [upsert(1, 0, '[2]', '{"id": 2, "v": 1}'), upsert(2, 0, '[1]', '{"id": 1, "v": 2}')];
  await assert.rejects(session.apply(fixture.token, windowOf(0, 2, rows)), {
    name: 'TargetUnavailableError',
    code: '55P03',
    commitUnknown: false,
  });
  await fixture.admin.query('ROLLBACK');
  assert.deepEqual(await fixture.rows('SELECT id::text, v::text FROM t'), [['1', '1']]);
  const next = await fixture.open();
  await next.apply(fixture.token, windowOf(0, 2, rows));
});

test('a row touches only its own key: one that meets another row’s unique value is refused, and that row stays (invariant 9)', async (t) => {
  const ddl = `CREATE TABLE t (id int PRIMARY KEY, email text UNIQUE, v int); INSERT INTO t VALUES (1, 'a@b', 1)`;
  const fixture = await createApplyFixture(t, postgres, ddl, ['t']);
  for (const enforcementOff of [false, true]) {
    const session = await fixture.open({ enforcementOff });
    const rows = [upsert(1, 0, '[2]', '{"email": "a@b", "id": 2, "v": 2}')];
    await assert.rejects(session.apply(fixture.token, windowOf(0, 1, rows)), {
      name: 'BadRowError',
      code: '23505',
      key: '[2]',
    });
    assert.deepEqual(await fixture.rows('SELECT id::text, v::text FROM t'), [['1', '1']]);
  }
});
