import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { hlcOf, previousHlc } from '../../../src/domain/hlc.js';
import type { SourceTable } from '../../../src/domain/source-table.js';
import { openMysqlCheckpointStore } from '../../../src/targets/mysql/checkpoint-store.js';
import { connectMysql, type MysqlClient } from '../../../src/targets/mysql/client.js';
import { planComparison } from '../../../src/targets/mysql/comparison-plan.js';
import { describeTables } from '../../../src/targets/mysql/introspection.js';
import { openMysqlSnapshot } from '../../../src/targets/mysql/snapshot.js';
import type { ComparedTable, TextRow } from '../../../src/targets/snapshot.js';
import {
  compareTables,
  countDiffering,
  TargetNotAtTimestampError,
  type TableComparison,
} from '../../../src/verify/compare-tables.js';
import type { SourceReader } from '../../../src/verify/source-reader.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';

const AT = hlcOf(1_759_246_920_563_173_000n, 7);
let server: Mariadb;
let target: MysqlClient;

before(async () => {
  server = await startMariadb({ settings: { 'max-allowed-packet': '1M' } });
  target = await connectMysql({ connectionString: server.url(), applicationName: 'failback test' });
});
after(async () => {
  await target.close();
  await server.stop();
});
beforeEach(async () => {
  for (const statement of ['DROP DATABASE IF EXISTS d', 'CREATE DATABASE d CHARACTER SET utf8mb4', 'USE d'])
    await target.query(statement);
});

async function plan(name: string, columns: Record<string, string>, primaryKey: string[]): Promise<ComparedTable> {
  const source: SourceTable = {
    table: { schema: 'public', table: name },
    columns: Object.entries(columns).map(([column, type]) => ({ name: column, type, nullable: true })),
    primaryKey,
    foreignKeys: [],
  };
  const described = (await describeTables(target, [{ schema: 'd', table: name }])).get(`d.${name}`);
  assert.ok(described);
  const compared = planComparison({ source, target: described });
  assert.ok(compared);
  return compared;
}

/** As the source finds a key by its value: zeros at the end of a decimal are spelling. */
function keyOf(row: TextRow): string {
  return JSON.stringify(row.map((text) => text?.replace(/^(-?\d+)(?:\.0+|(\.\d*?[1-9])0*)$/, '$1$2')));
}

/** The source's rows as its texts, in key order. */
function sourceOf(rows: readonly TextRow[], pageRows: number): SourceReader {
  return {
    async *pages() {
      for (let from = 0; from < rows.length; from += pageRows)
        yield await Promise.resolve(rows.slice(from, from + pageRows));
    },
    countKeys: (table, keys) => {
      const known = new Set(rows.map((row) => keyOf(row.slice(0, table.keyCount))));
      return Promise.resolve(keys.filter((key) => known.has(keyOf(key))).length);
    },
  };
}

async function compare(
  table: ComparedTable,
  rows: readonly TextRow[],
  more: { streams?: string[]; pageRows?: number; listed?: number; whileOpen?: () => Promise<unknown> } = {},
): Promise<TableComparison> {
  const snapshot = await openMysqlSnapshot(
    { connectionString: server.url('d'), applicationName: 'failback test' },
    '_failback',
  );
  try {
    await more.whileOpen?.();
    const [result] = await compareTables({
      source: sourceOf(rows, more.pageRows ?? 3),
      target: snapshot,
      at: AT,
      streams: more.streams ?? [],
      tables: [table],
      ...(more.listed === undefined ? {} : { listed: more.listed }),
      signal: new AbortController().signal,
    });
    assert.ok(result);
    return result;
  } finally {
    await snapshot.close();
  }
}

const ITEMS = { tenant: 'INT8', id: 'DECIMAL(20,4)', note: 'STRING' };
const CREATE_ITEMS = 'CREATE TABLE items (tenant bigint, id decimal(20,4), note longtext, PRIMARY KEY (tenant, id))';

test('missing, different and extra rows are found across pages of a composite key', async () => {
  await target.query(CREATE_ITEMS);
  const rows = [1, 2, 3].flatMap((tenant) =>
    [1, 2, 3, 4, 5, 6, 7].map((id): TextRow => [String(tenant), String(id), `n${id}`]),
  );
  for (const [tenant, id, note] of rows)
    await target.query('INSERT INTO items VALUES (?, ?, ?)', [tenant ?? null, id ?? null, note ?? null]);
  await target.query('DELETE FROM items WHERE (tenant, id) IN ((1, 1), (3, 7))');
  await target.query(`UPDATE items SET note = 'SECRET' WHERE (tenant, id) IN ((2, 2), (2, 3))`);
  await target.query('UPDATE items SET note = NULL WHERE (tenant, id) = (2, 4)');
  await target.query(`INSERT INTO items VALUES (0, 1, 'x'), (2, 3.5, 'x'), (9223372036854775807, 1, 'x')`);
  const result = await compare(await plan('items', ITEMS, ['tenant', 'id']), rows);
  assert.deepEqual(result, {
    table: 'd.items',
    rows: 21,
    missing: { total: 2, keys: ['["1","1"]', '["3","7"]'] },
    different: {
      total: 3,
      rows: [
        { key: '["2","2"]', columns: ['note'] },
        { key: '["2","3"]', columns: ['note'] },
        { key: '["2","4"]', columns: ['note'] },
      ],
    },
    extra: { total: 3, keys: ['["0","1.0000"]', '["2","3.5000"]', '["9223372036854775807","1.0000"]'] },
  });
  assert.doesNotMatch(JSON.stringify(result), /SECRET/);
});

/** The target's type, the source's type and text, the target's literal of it, and literals that must be told from it. */
const VALUES: readonly (readonly [string, string, string, string, ...string[]])[] = [
  ['bigint', 'INT8', '9007199254740993', '9007199254740993', '9007199254740992'],
  ['bigint unsigned', 'INT8', '9223372036854775807', '9223372036854775807', '9223372036854775806'],
  ['year', 'INT8', '2024', '2024', '2023'],
  [
    'decimal(40,20)',
    'DECIMAL(40,20)',
    '12345678901234567890.00000000000000000100',
    '12345678901234567890.000000000000000001',
    '12345678901234567890',
  ],
  ['decimal(65,30)', 'DECIMAL', '-1.50', '-1.5', '1.5'],
  ['decimal(10,2)', 'DECIMAL', '0.00', '0', '0.01'],
  ['double', 'FLOAT8', '0.1', '0.1e0', '0.10000000000000002e0'],
  ['double', 'FLOAT8', '1e+300', '1e300', '1.0000000000000002e300'],
  ['double', 'FLOAT8', '-0', '0e0', '1e0'],
  ['double', 'FLOAT8', 'NaN', 'NULL', '0e0'],
  ['float', 'FLOAT4', '1.1', '1.1e0', '1.1000001e0'],
  ['tinyint(1)', 'BOOL', 't', '1', '0', '2'],
  ['bit(1)', 'BOOL', 'f', "b'0'", "b'1'"],
  ['bit(3)', 'BIT(3)', '101', "b'101'", "b'100'"],
  ['varchar(9)', 'STRING', 'a', "'a'", "'a '", "'A'", "'á'"],
  ['varchar(9) collate utf8mb4_unicode_ci', 'STRING', 'Straße', "'Straße'", "'strasse'"],
  ['varchar(9) character set latin1', 'STRING', 'é', "'é'", "'e'"],
  ['longtext', 'STRING', '', "''", 'NULL', "' '"],
  ['longtext', 'STRING', 'a\\\'"?\n\u{1f600}', `'a\\\\\\'"?\\n\u{1f600}'`, `'a\\'"?\\n\u{1f600}'`],
  ['char(5)', 'CHAR(5)', 'abc', "'abc'", "'abd'"],
  ['blob', 'BYTES', '\\x0001ff', "x'0001ff'", "x'0001fe'", "x'0001ff00'"],
  ['varbinary(4)', 'BYTES', '\\x', "x''", "x'00'"],
  [
    'binary(16)',
    'UUID',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    "x'a0eebc999c0b4ef8bb6d6bb9bd380a11'",
    "x'a0eebc999c0b4ef8bb6d6bb9bd380a12'",
  ],
  [
    'char(36)',
    'UUID',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    "'A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11'",
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'",
  ],
  [
    'uuid',
    'UUID',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
    "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'",
  ],
  ['date', 'DATE', '2024-02-29', "'2024-02-29'", "'2024-03-01'"],
  ['datetime(6)', 'TIMESTAMP', '2024-02-29 12:34:56.1', "'2024-02-29 12:34:56.1'", "'2024-02-29 12:34:56.100001'"],
  ['datetime', 'TIMESTAMP(0)', '2024-02-29 12:34:56', "'2024-02-29 12:34:56'", "'2024-02-29 12:34:57'"],
  [
    'datetime(6)',
    'TIMESTAMPTZ',
    '2024-02-29 12:34:56.123456+00',
    "'2024-02-29 12:34:56.123456'",
    "'2024-02-29 14:34:56.123456'",
  ],
  [
    'timestamp(6)',
    'TIMESTAMPTZ',
    '2024-02-29 12:34:56.123456+00',
    "'2024-02-29 12:34:56.123456'",
    "'2024-02-29 12:34:56.123457'",
  ],
  ['time(6)', 'TIME', '24:00:00', "'24:00:00'", "'00:00:00'", "'24:00:00.000001'"],
  ["enum('sad','glad') collate utf8mb4_bin", 'STRING', 'glad', "'glad'", "'sad'"],
  [
    'json',
    'JSONB',
    '{"a": [1.50, null, "x\\u00e9"], "b": {}}',
    `'{"b":{},"a":[1.5,null,"xé"]}'`,
    `'{"b":{},"a":[1.5,"x",null]}'`,
    'NULL',
  ],
  ['json', 'JSONB', '0.1234567890123456789', "'0.1234567890123456789'", "'0.1234567890123456788'"],
  ['json', 'JSONB', 'null', "'null'", 'NULL'],
  ['longtext', 'JSONB', '{"b": 1, "a": 2}', `'{"a":2,"b":1}'`, `'{"a":2,"b":"1"}'`, "'no json'"],
  [
    'json',
    'STRING[]',
    '{a,NULL,"b,c","NULL"}',
    `'["a", null, "b,c", "NULL"]'`,
    `'["a","NULL","b,c","NULL"]'`,
    `'["a",null,"b","c","NULL"]'`,
  ],
  ['json', 'INT8[]', '{}', "'[]'", "'[0]'"],
  ['json', 'DECIMAL[]', '{1.50}', "'[1.50]'", "'[1.6]'"],
  ['json', 'BOOL[]', '{t,f}', "'[true,false]'", "'[true,true]'"],
  ['json', 'TIMESTAMPTZ[]', '{"2024-02-29 12:00:00+00"}', `'["2024-02-29T12:00:00Z"]'`, `'["2024-02-29T12:00:01Z"]'`],
  ['varchar(80)', 'INTERVAL', '1 mon', "'1 mon'", "'30 days'"],
  ['varchar(49)', 'INET', '10.0.0.1/24', "'10.0.0.1/24'", "'10.0.0.1'"],
  ['longtext', 'DECIMAL', '1.50', "'1.50'", "'1.5'"],
];

for (const [type, sourceType, text, literal, ...others] of VALUES) {
  test(`${sourceType} ${JSON.stringify(text)} in ${type} is ${literal} and nothing else`, async () => {
    await target.query(`CREATE TABLE v (id int PRIMARY KEY, v ${type})`);
    await target.query(`INSERT INTO v VALUES (1, ${literal}), (2, NULL)`);
    const table = await plan('v', { id: 'INT8', v: sourceType }, ['id']);
    const rows: TextRow[] = [
      ['1', text],
      ['2', null],
    ];
    // What MySQL cannot hold is never the same.
    const unheld = literal === 'NULL';
    assert.equal(countDiffering(await compare(table, rows)), unheld ? 1 : 0);
    for (const other of others) {
      await target.query(`UPDATE v SET v = ${other} WHERE id = 1`);
      const changed = await compare(table, rows);
      assert.deepEqual(changed.different, { total: 1, rows: [{ key: '["1"]', columns: ['v'] }] }, other);
    }
    await target.query(`UPDATE v SET v = ${literal} WHERE id = 1`);
    await target.query(`UPDATE v SET v = ${others[0] === 'NULL' ? literal : (others[0] ?? '')} WHERE id = 2`);
    const filled = await compare(table, rows);
    assert.ok(filled.different.rows.some(({ key }) => key === '["2"]'));
  });
}

/** Type of the key on both sides, and the source's texts of keys in the target's order, with their literals. */
const KEYS: readonly (readonly [string, string, readonly (readonly [string, string])[]])[] = [
  [
    'bigint',
    'INT8',
    [
      ['-5', '-5'],
      ['9007199254740992', '9007199254740992'],
      ['9007199254740993', '9007199254740993'],
    ],
  ],
  [
    'bigint unsigned',
    'INT8',
    [
      ['1', '1'],
      ['9223372036854775807', '9223372036854775807'],
    ],
  ],
  [
    'decimal(30,10)',
    'DECIMAL(30,10)',
    [
      ['1.5000000000', '1.5'],
      ['12345678901234567890.0000000001', '12345678901234567890.0000000001'],
    ],
  ],
  [
    'double',
    'FLOAT8',
    [
      ['-1.5', '-1.5e0'],
      ['0.1', '0.1e0'],
      ['25000000000.5', '25000000000.5e0'],
    ],
  ],
  [
    'varchar(9) collate utf8mb4_nopad_bin',
    'STRING',
    [
      ['A', "'A'"],
      ['a', "'a'"],
      ['a ', "'a '"],
      ['\u{1f600}', "'\u{1f600}'"],
    ],
  ],
  [
    'varchar(9) character set latin1 collate latin1_nopad_bin',
    'STRING',
    [
      ['a', "'a'"],
      ['é', "'é'"],
    ],
  ],
  [
    'varbinary(9)',
    'BYTES',
    [
      ['\\x', "x''"],
      ['\\x00', "x'00'"],
      ['\\xff', "x'ff'"],
    ],
  ],
  [
    'binary(16)',
    'UUID',
    [
      ['00eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', "x'00eebc999c0b4ef8bb6d6bb9bd380a11'"],
      ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', "x'a0eebc999c0b4ef8bb6d6bb9bd380a11'"],
    ],
  ],
  [
    'uuid',
    'UUID',
    [
      ['00eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', "'00eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'"],
      ['00eebc99-9c0b-4ef8-bb6d-6bb9bd380a12', "'00eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'"],
    ],
  ],
  [
    'date',
    'DATE',
    [
      ['2024-02-28', "'2024-02-28'"],
      ['2024-02-29', "'2024-02-29'"],
    ],
  ],
  [
    'datetime(6)',
    'TIMESTAMP',
    [
      ['2024-02-29 12:34:56.123456', "'2024-02-29 12:34:56.123456'"],
      ['2024-02-29 12:34:56.123457', "'2024-02-29 12:34:56.123457'"],
    ],
  ],
  [
    'time(6)',
    'TIME',
    [
      ['00:00:00.000001', "'00:00:00.000001'"],
      ['24:00:00.000000', "'24:00:00'"],
    ],
  ],
  [
    'tinyint(1)',
    'BOOL',
    [
      ['f', '0'],
      ['t', '1'],
    ],
  ],
  [
    'bit(3)',
    'BIT(3)',
    [
      ['001', "b'001'"],
      ['101', "b'101'"],
    ],
  ],
];

for (const [type, sourceType, keys] of KEYS) {
  test(`a key ${sourceType} in ${type} is found, missed, and listed from any place`, async () => {
    await target.query(`CREATE TABLE k (a int, id ${type}, PRIMARY KEY (id, a))`);
    await target.query(
      `INSERT INTO k VALUES ${keys.map(([, literal]) => `(1, ${literal}), (2, ${literal})`).join(', ')}`,
    );
    const table = await plan('k', { id: sourceType, a: 'INT8' }, ['id', 'a']);
    const rows = keys.flatMap(([text]) => ['1', '2'].map((a): TextRow => [text, a]));
    assert.equal(countDiffering(await compare(table, rows)), 0);
    const snapshot = await openMysqlSnapshot(
      { connectionString: server.url('d'), applicationName: 'failback test' },
      '_failback',
    );
    const listed: TextRow[] = [];
    for (;;) {
      const [next] = await snapshot.keys(table, listed.at(-1) ?? null, 1);
      if (next === undefined) break;
      listed.push(next);
    }
    await snapshot.close();
    assert.deepEqual(listed, rows);
    await target.query(`DELETE FROM k WHERE id = ${keys[0]?.[1] ?? ''} AND a = 1`);
    const result = await compare(table, rows);
    assert.deepEqual(result.missing, { total: 1, keys: [JSON.stringify([keys[0]?.[0], '1'])] });
    assert.equal(result.extra.total, 0);
    const fewer = await compare(table, rows.slice(0, 2));
    assert.equal(fewer.extra.total, rows.length - 2);
    assert.deepEqual(
      fewer.extra.keys,
      rows.slice(2).map((row) => JSON.stringify(row)),
    );
  });
}

test('a key is the same only when it is the very same, however its collation compares', async () => {
  await target.query('CREATE TABLE v (id varchar(9) collate utf8mb4_general_ci PRIMARY KEY, v int)');
  await target.query(`INSERT INTO v VALUES ('Anna', 1)`);
  const table = await plan('v', { id: 'STRING', v: 'INT8' }, ['id']);
  const result = await compare(table, [['anna', '1']]);
  assert.deepEqual([result.missing.total, result.extra.total], [1, 1]);
});

test('rows beyond what one statement holds are compared in several, whatever is in them', async () => {
  await target.query('CREATE TABLE v (id int PRIMARY KEY, v longtext)');
  const rows = Array.from({ length: 40 }, (_, id): TextRow => [String(id), `"'\\`.repeat(10_000) + id]);
  for (const [id, v] of rows) await target.query('INSERT INTO v VALUES (?, ?)', [id ?? null, v ?? null]);
  await target.query(`UPDATE v SET v = CONCAT(v, 'x') WHERE id = 37`);
  const result = await compare(await plan('v', { id: 'INT8', v: 'STRING' }, ['id']), rows, { pageRows: 40 });
  assert.deepEqual(result.different, { total: 1, rows: [{ key: '["37"]', columns: ['v'] }] });
  assert.equal(result.missing.total, 0);
});

test('a page is looked up by the index of the key', async () => {
  await target.query(CREATE_ITEMS);
  await target.query(`INSERT INTO items SELECT 1, seq, 'n' FROM seq_1_to_20000`);
  const table = await plan('items', ITEMS, ['tenant', 'id']);
  const count = async () => {
    const { rows } = await target.query(`SHOW GLOBAL STATUS LIKE 'Handler_read_rnd_next'`);
    return Number(rows[0]?.['value']);
  };
  const rows = Array.from({ length: 100 }, (_, id): TextRow => ['1', String(id + 1), 'n']);
  const snapshot = await openMysqlSnapshot(
    { connectionString: server.url('d'), applicationName: 'failback test' },
    '_failback',
  );
  const before = await count();
  const found = await snapshot.compare(table, rows);
  assert.deepEqual(found, { missing: [], different: [] });
  assert.ok((await count()) - before < 5_000, 'the table was read through');
  await snapshot.close();
});

test('rows written after the snapshot was opened are not seen', async () => {
  await target.query(CREATE_ITEMS);
  await target.query(`INSERT INTO items SELECT 1, seq, 'n' FROM seq_1_to_10`);
  const rows = Array.from({ length: 10 }, (_, id): TextRow => ['1', String(id + 1), 'n']);
  const result = await compare(await plan('items', ITEMS, ['tenant', 'id']), rows, {
    whileOpen: async () => {
      await target.query('DELETE FROM items WHERE id > 5');
      await target.query(`INSERT INTO items VALUES (7, 7, 'late')`);
    },
  });
  assert.equal(countDiffering(result), 0);
});

test('a target that is not exactly at the timestamp is not compared', async () => {
  const store = await openMysqlCheckpointStore(
    { connectionString: server.url('d'), applicationName: 'failback test' },
    '_failback',
  );
  await store.ensureSchema();
  const origin = { clusterId: 'c', tableIds: {} };
  await store.insertOnce({ stream: 'here', run: 'r', cursor: AT, origin });
  await store.insertOnce({ stream: 'behind', run: 'r', cursor: previousHlc(AT), origin });
  await store.close();
  await target.query('CREATE TABLE v (id int PRIMARY KEY)');
  const table = await plan('v', { id: 'INT8' }, ['id']);
  assert.equal(countDiffering(await compare(table, [], { streams: ['here'] })), 0);
  await assert.rejects(
    compare(table, [], { streams: ['here', 'behind'] }),
    (error) => error instanceof TargetNotAtTimestampError && error.applied === previousHlc(AT),
  );
  await assert.rejects(compare(table, [], { streams: ['gone'] }), TargetNotAtTimestampError);
});
