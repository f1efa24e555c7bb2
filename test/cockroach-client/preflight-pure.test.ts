import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IntrospectedTable } from '../../src/cockroach/introspect.js';
import { keyClassOf } from '../../src/domain/source-type.js';
import { findHistoryProblems } from '../../src/cockroach/preflight-history.js';
import { findTableProblems } from '../../src/cockroach/preflight-tables.js';
import { parseInterval, ttlsOfParts } from '../../src/cockroach/protection.js';
import { parseNameArray, quoteIdentifier, quoteLiteral } from '../../src/cockroach/quoting.js';

const KEY = { name: 'id', type: 'INT8', keyClass: 'exact', hidden: false, virtual: false } as const;
const TABLE: IntrospectedTable = {
  table: { schema: 'public', table: 'orders' },
  id: '104',
  fullName: 'shop.public.orders',
  columns: [{ name: 'id', type: 'INT8', nullable: false }],
  primaryKey: ['id'],
  keyColumns: [KEY],
  foreignKeys: [],
  columnFamilies: 1,
  locality: null,
};

test('a plain table has no problem', () => assert.deepEqual(findTableProblems(TABLE), []));

const PROBLEMS: readonly (readonly [string, string, Partial<IntrospectedTable>])[] = [
  ['table.columnFamilies', 'blocking', { columnFamilies: 2 }],
  [
    'key.virtual',
    'blocking',
    { keyColumns: [{ ...KEY, name: 'crdb_internal_id_shard_16', hidden: true, virtual: true }, KEY] },
  ],
  ['key.rowid', 'blocking', { keyColumns: [{ ...KEY, name: 'rowid', hidden: true }] }],
  ['key.collated', 'blocking', { keyColumns: [{ ...KEY, type: 'STRING COLLATE en', keyClass: null }] }],
  ['column.virtual', 'warning', { columns: [{ name: 'v', type: 'INT8', nullable: true, virtual: true }] }],
];
for (const [id, severity, change] of PROBLEMS)
  test(`${id} is found`, () => {
    const findings = findTableProblems({ ...TABLE, ...change });
    assert.deepEqual(
      findings.map((finding) => [finding.id, finding.severity]),
      [[id, severity]],
    );
  });

const CLASSES: readonly (readonly [string, string | null])[] = [
  ['INT8', 'exact'],
  ['STRING', 'exact'],
  ['VARCHAR(20)', 'exact'],
  ['UUID', 'exact'],
  ['BYTES', 'exact'],
  ['TIMESTAMPTZ', 'exact'],
  ['INTERVAL', 'exact'],
  ['BIT(3)', 'exact'],
  ['public.mood', 'exact'],
  ['DECIMAL', 'decimal'],
  ['DECIMAL(10,2)', 'decimal'],
  ['NUMERIC(5)', 'decimal'],
  ['FLOAT8', 'float'],
  ['FLOAT4', 'float'],
  ['STRING COLLATE en', null],
  ['VARCHAR(3) COLLATE "de_DE"', null],
  ['INT8[]', null],
];
for (const [type, keyClass] of CLASSES)
  test(`keys of type ${type} are ${keyClass ?? 'refused'}`, () => assert.equal(keyClassOf(type), keyClass));

const HOUR = 3_600_000;
const TTL = { object: 'TABLE shop.public.orders', table: TABLE.table, seconds: 14_400 };
const HISTORY = { canProtect: false, grant: null, ttls: [TTL], outageMs: 12 * HOUR, maxAgeMs: 96 * HOUR };

test('a TTL shorter than the promised outage blocks where history cannot be protected (protocol rule 4)', () => {
  const [finding, ...more] = findHistoryProblems(HISTORY);
  assert.equal(more.length, 0);
  assert.equal(finding?.severity, 'blocking');
  assert.equal(finding?.found, 'gc.ttlseconds = 14400');
  assert.match(finding?.message ?? '', /ALTER TABLE "public"\."orders" CONFIGURE ZONE USING gc\.ttlseconds = 43200;$/);
});

test('a short TTL names the grant with which the run protects history itself, where the version can', () => {
  const [finding] = findHistoryProblems({ ...HISTORY, grant: 'GRANT SYSTEM REPLICATION TO "app";' });
  assert.match(finding?.message ?? '', /ttlseconds = 43200; -- or, .*: GRANT SYSTEM REPLICATION TO "app";$/);
});

test('protected history, or a TTL that is long enough, is fine', () => {
  assert.deepEqual(findHistoryProblems({ ...HISTORY, canProtect: true }), []);
  assert.deepEqual(findHistoryProblems({ ...HISTORY, outageMs: 4 * HOUR }), []);
});

test('a partition is mended by its own name', () => {
  const object = 'PARTITION eu OF INDEX shop.public.orders@orders_pkey';
  const [finding] = findHistoryProblems({ ...HISTORY, ttls: [{ ...TTL, object }] });
  assert.match(finding?.message ?? '', /ALTER PARTITION eu OF INDEX shop\.public\.orders@orders_pkey CONFIGURE ZONE/);
});

test('a changefeed that CockroachDB gives up too early blocks (protocol rule 5); 0 is for ever', () => {
  const ids = (maxAgeMs: number | null) =>
    findHistoryProblems({ ...HISTORY, ttls: [], maxAgeMs }).map((finding) => finding.id);
  assert.deepEqual(ids(11 * HOUR), ['history.maxAge']);
  assert.deepEqual(ids(12 * HOUR), []);
  assert.deepEqual(ids(0), []);
  assert.deepEqual(ids(null), []);
});

test('zones of indexes and partitions are read; those of other tables and without a TTL are not', () => {
  const raw = (target: string, ttl: number | null) => ({
    target,
    raw_config_sql: `ALTER ${target} CONFIGURE ZONE USING\n\t${ttl === null ? 'num_replicas = 3' : `gc.ttlseconds = ${ttl}`}`,
  });
  const ttls = ttlsOfParts(
    [
      raw('RANGE default', 90_000),
      raw('TABLE shop.public.orders', 1),
      raw('PARTITION eu OF INDEX shop.public.orders@orders_pkey', 600),
      raw('INDEX shop.public."orders"@by_day', 700),
      raw('PARTITION us OF INDEX shop.public.orders@orders_pkey', null),
      raw('PARTITION eu OF INDEX shop.public.orders2@orders_pkey', 5),
    ],
    'shop',
    TABLE.table,
  );
  assert.deepEqual(
    ttls.map((ttl) => ttl.seconds),
    [600, 700],
  );
});

const INTERVALS: readonly (readonly [string, number | null])[] = [
  ['96:00:00', 345_600_000],
  ['4 days', 345_600_000],
  ['1 day 01:00:00.5', 90_000_500],
  ['00:00:00', 0],
  ['', null],
  ['soon', null],
];
for (const [text, ms] of INTERVALS) test(`the interval "${text}"`, () => assert.equal(parseInterval(text), ms));

test('names and texts are quoted, and arrays of names read', () => {
  assert.equal(quoteIdentifier('a"b'), '"a""b"');
  assert.equal(quoteLiteral("it's \\ so"), "'it''s \\ so'");
  assert.deepEqual(parseNameArray('{}'), []);
  assert.deepEqual(parseNameArray('{d.public.a,"d.public.\\"b c\\"","x\\\\y"}'), [
    'd.public.a',
    'd.public."b c"',
    'x\\y',
  ]);
  assert.deepEqual(parseNameArray('{1,2}'), ['1', '2']);
});
