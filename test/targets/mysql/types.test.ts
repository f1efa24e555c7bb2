import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BadRowError } from '../../../src/targets/failures.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';
import { createApplyFixture, remove, upsert, type ApplyFixture } from './apply-fixture.js';

let mariadb: Mariadb;
before(async () => {
  mariadb = await startMariadb();
});
after(() => mariadb.stop());

interface TypeCase {
  readonly type: string;
  /** SQL of the value as text; `v` stands for the column. */
  readonly shown?: string;
  /** What CockroachDB writes, and what the target then has. */
  readonly taken: readonly (readonly [json: string, shown: string | null])[];
  /** What is refused, and words of the reason: of ours, or the server's. */
  readonly refused?: readonly (readonly [json: string, reason: RegExp])[];
  /** As a key, it finds its row again. */
  readonly key?: boolean;
}

const ROUNDED = /it would be rounded/;
const RANGE = /out of range/i;
const text = (value: string): string => JSON.stringify(value);

const CASES: readonly TypeCase[] = [
  {
    type: 'tinyint(1)',
    key: true,
    taken: [
      ['true', '1'],
      ['false', '0'],
      ['null', null],
      ['-128', '-128'],
    ],
    refused: [
      ['128', RANGE],
      ['"yes"', /is no number/],
    ],
  },
  {
    type: 'smallint unsigned',
    key: true,
    taken: [
      ['0', '0'],
      ['65535', '65535'],
      ['1E+2', '100'],
      ['3.000', '3'],
    ],
    refused: [
      ['-1', RANGE],
      ['65536', RANGE],
      ['1.5', ROUNDED],
    ],
  },
  { type: 'mediumint', key: true, taken: [['-8388608', '-8388608']], refused: [['8388608', RANGE]] },
  {
    type: 'int unsigned',
    key: true,
    taken: [
      ['4294967295', '4294967295'],
      ['"1"', '1'],
    ],
    refused: [
      ['4294967296', RANGE],
      ['0.4', ROUNDED],
    ],
  },
  {
    type: 'bigint',
    key: true,
    taken: [
      ['-9223372036854775808', '-9223372036854775808'],
      ['9223372036854775807', '9223372036854775807'],
    ],
    refused: [['9223372036854775808', RANGE]],
  },
  {
    type: 'bigint unsigned',
    key: true,
    taken: [['18446744073709551615', '18446744073709551615']],
    refused: [
      ['18446744073709551616', RANGE],
      ['1E+300', RANGE],
    ],
  },
  {
    type: 'decimal(65,30)',
    key: true,
    taken: [
      [
        '12345678901234567890123456789012345.123456789012345678901234567890',
        '12345678901234567890123456789012345.123456789012345678901234567890',
      ],
      ['-1E-28', '-0.000000000000000000000000000100'],
      ['1E+30', '1000000000000000000000000000000.000000000000000000000000000000'],
      ['0', '0.000000000000000000000000000000'],
      ['-0.00', '0.000000000000000000000000000000'],
    ],
    refused: [
      ['1E+35', RANGE],
      ['1E-31', ROUNDED],
      ['"NaN"', /NaN or infinite/],
      ['"-Infinity"', /NaN or infinite/],
      ['1E+999999', RANGE],
    ],
  },
  {
    type: 'decimal(10,2)',
    key: true,
    taken: [
      ['1.500', '1.50'],
      ['99999999.99', '99999999.99'],
      ['-0.01', '-0.01'],
    ],
    refused: [
      ['1.505', ROUNDED],
      ['100000000', RANGE],
    ],
  },
  {
    type: 'decimal(5,0) unsigned',
    taken: [
      ['12345', '12345'],
      ['1.2E+2', '120'],
    ],
    refused: [['-1', RANGE]],
  },
  {
    type: 'double',
    key: true,
    taken: [
      ['1.5', '1.5'],
      ['1E+300', '1e300'],
      ['-1E-300', '-1e-300'],
      ['0.1', '0.1'],
      ['1.2345678901234568E+17', '1.2345678901234568e17'],
      ['16777217', '16777217'],
    ],
    refused: [
      ['"NaN"', /NaN or infinite/],
      ['"Infinity"', /NaN or infinite/],
      ['1E+400', RANGE],
    ],
  },
  { type: 'double', shown: '1 / nullif(sign(v), 0)', taken: [['-0', null]] },
  {
    type: 'float',
    shown: 'v + 0e0',
    taken: [
      ['1.1', '1.100000023841858'],
      ['16777216', '16777216'],
      ['3.4E+38', '3.3999999521443642e38'],
    ],
    refused: [
      ['16777217', ROUNDED],
      ['1E+39', RANGE],
      ['1.23456789012', ROUNDED],
    ],
  },
  { type: 'double(10,2)', taken: [['1.25', '1.25']], refused: [['1.255', ROUNDED]] },
  {
    type: 'bit(8)',
    shown: 'bin(v)',
    key: true,
    taken: [
      ['"10101010"', '10101010'],
      ['"00000001"', '1'],
      ['255', '11111111'],
      ['true', '1'],
    ],
    refused: [
      ['"101"', /another number of bits/],
      ['256', /too long/i],
      ['"2"', /no string of bits/],
    ],
  },
  {
    type: 'bit(1)',
    shown: 'bin(v)',
    taken: [
      ['"1"', '1'],
      ['false', '0'],
    ],
    refused: [['2', /too long/i]],
  },
  {
    type: 'year',
    key: true,
    taken: [
      ['1901', '1901'],
      ['2155', '2155'],
      ['0', '0000'],
    ],
    refused: [
      ['24', RANGE],
      ['2156', RANGE],
    ],
  },
  {
    type: 'date',
    key: true,
    taken: [
      ['"2024-02-29"', '2024-02-29'],
      ['"0001-01-01"', '0001-01-01'],
      ['"9999-12-31"', '9999-12-31'],
    ],
    refused: [
      ['"infinity"', /is no date/],
      ['"0044-03-15 BC"', /is no date/],
      ['"10000-01-01"', /is no date/],
    ],
  },
  {
    type: 'datetime(6)',
    key: true,
    taken: [
      ['"2024-02-29T12:34:56.123456"', '2024-02-29 12:34:56.123456'],
      ['"2024-01-01T00:00:00.123456Z"', '2024-01-01 00:00:00.123456'],
      ['"1969-12-31T23:59:59.9"', '1969-12-31 23:59:59.900000'],
      ['"0001-01-01T00:00:00"', '0001-01-01 00:00:00.000000'],
      ['"9999-12-31T23:59:59.999999"', '9999-12-31 23:59:59.999999'],
    ],
    refused: [
      ['"294276-12-31T23:59:59.999999"', /is no timestamp/],
      ['"-4713-11-24T00:00:00"', /is no timestamp/],
    ],
  },
  {
    type: 'datetime',
    key: true,
    taken: [
      ['"2024-02-29T12:34:56"', '2024-02-29 12:34:56'],
      ['"2024-02-29T12:34:56.000"', '2024-02-29 12:34:56'],
    ],
    refused: [['"2024-02-29T12:34:56.5"', ROUNDED]],
  },
  {
    type: 'timestamp(3) NULL',
    taken: [
      ['"2024-02-29T12:34:56.120Z"', '2024-02-29 12:34:56.120'],
      ['"2038-01-19T03:14:07.999Z"', '2038-01-19 03:14:07.999'],
      ['null', null],
    ],
    refused: [
      ['"1900-01-01T12:00:00Z"', /Incorrect datetime/],
      ['"2024-02-29T12:34:56.1234Z"', ROUNDED],
    ],
  },
  {
    type: 'time(6)',
    key: true,
    taken: [
      ['"12:34:56.123456"', '12:34:56.123456'],
      ['"24:00:00"', '24:00:00.000000'],
      ['"-03:00:00"', '-03:00:00.000000'],
      ['"838:59:59"', '838:59:59.000000'],
    ],
    refused: [
      ['"839:00:00"', /Incorrect time/],
      ['"12:34:56.123456+02:30:00"', /is no time/],
      ['"1 day 02:03:04"', /is no time/],
    ],
  },
  { type: 'time', taken: [['"12:34:56"', '12:34:56']], refused: [['"12:34:56.5"', ROUNDED]] },
  {
    type: 'varchar(20)',
    key: true,
    taken: [
      [text('ünï 漢字 🚀'), 'ünï 漢字 🚀'],
      [text('tab\tnl\ncr\rb\\q"s\'c\u0001'), 'tab\tnl\ncr\rb\\q"s\'c\u0001'],
      [text('nul\0\u001a%_'), 'nul\0\u001a%_'],
      ['""', ''],
      ['"pad  "', 'pad  '],
      ['1.500', '1.500'],
      ['true', 'true'],
      ['[1, null]', '[1, null]'],
      ['"192.168.0.1/8"', '192.168.0.1/8'],
      ['"12:34:56+02:30:00"', '12:34:56+02:30:00'],
    ],
    refused: [
      [text('x'.repeat(21)), /too long/i],
      [text(`${'x'.repeat(20)} `), /would be cut/],
      [String.raw`"\ud83d"`, /surrogate/],
    ],
  },
  {
    type: 'char(5)',
    key: true,
    taken: [
      ['"abc"', 'abc'],
      ['""', ''],
      ['" a"', ' a'],
    ],
    refused: [
      ['"ab "', /keeps no spaces/],
      ['"abcdef"', /too long/i],
    ],
  },
  {
    type: 'char(36)',
    key: true,
    taken: [['"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"', '5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10']],
  },
  {
    type: 'uuid',
    key: true,
    taken: [['"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"', '5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10']],
  },
  { type: 'varchar(9) CHARACTER SET latin1', taken: [['"é"', 'é']], refused: [['"漢"', /Incorrect string value/]] },
  {
    type: 'longtext',
    taken: [
      [text('a'.repeat(70_000)), 'a'.repeat(70_000)],
      ['{"k": [1E+2]}', '{"k": [1E+2]}'],
    ],
  },
  {
    type: 'tinytext',
    taken: [[text('é'.repeat(127)), 'é'.repeat(127)]],
    refused: [[text('é'.repeat(128)), /too long|Incorrect string/i]],
  },
  {
    type: 'binary(16)',
    shown: 'hex(v)',
    key: true,
    taken: [
      ['"5b3b1f4c-8f0a-4e0e-9b8d-0a5fbd6b9f10"', '5B3B1F4C8F0A4E0E9B8D0A5FBD6B9F10'],
      [text(`\\x${'00'.repeat(16)}`), '0'.repeat(32)],
    ],
    refused: [
      [text('\\x00'), /another number of bytes/],
      ['"plain"', /neither bytes nor a uuid/],
    ],
  },
  {
    type: 'varbinary(4)',
    shown: 'hex(v)',
    key: true,
    taken: [
      [text('\\x0001ff27'), '0001FF27'],
      [text('\\x'), ''],
      [text('\\x20'), '20'],
    ],
    refused: [
      [text('\\x0001020304'), /too long/i],
      [text('\\x0'), /neither bytes/],
    ],
  },
  { type: 'blob', shown: 'hex(v)', taken: [[text('\\x5c2700'), '5C2700']] },
  {
    type: `enum('happy','sad ''x''','ü')`,
    key: true,
    taken: [
      ['"happy"', 'happy'],
      [text("sad 'x'"), "sad 'x'"],
      ['"ü"', 'ü'],
    ],
    refused: [
      ['"HAPPY"', /is none of/],
      ['"u"', /is none of/],
      ['1', /is none of/],
      ['""', /is none of/],
    ],
  },
  {
    type: `set('a','b','c')`,
    taken: [
      ['"a,c"', 'a,c'],
      ['""', ''],
    ],
    refused: [
      ['"c,a"', /in this order/],
      ['"a,d"', /in this order/],
      ['"A"', /in this order/],
    ],
  },
  {
    type: 'json',
    taken: [
      ['{"a": 1E+2, "b": [1, 2.50, null, true, {"a": "x"}]}', '{"a": 1E+2, "b": [1, 2.50, null, true, {"a": "x"}]}'],
      [String.raw`{"k": "q\"\\'\u0000"}`, String.raw`{"k": "q\"\\'\u0000"}`],
      ['12345678901234567890.1234567890', '12345678901234567890.1234567890'],
      ['"str"', '"str"'],
      ['true', 'true'],
      ['[]', '[]'],
      ['null', null],
    ],
  },
  {
    type: 'json NOT NULL',
    taken: [
      ['null', 'null'],
      ['{}', '{}'],
    ],
  },
  { type: 'int NOT NULL', taken: [['0', '0']], refused: [['null', /is NULL, and the column is NOT NULL/]] },
  { type: `timestamp NOT NULL DEFAULT '2001-01-01 00:00:00'`, taken: [], refused: [['null', /NOT NULL/]] },
  {
    type: 'point',
    taken: [['null', null]],
    refused: [['{"coordinates": [1, 2], "type": "Point"}', /type point, which is not written/]],
  },
];

/** One window after the other. */
function stepsOf(fixture: ApplyFixture) {
  let n = 0;
  return {
    upsert: (key: string, row: string) => fixture.apply(++n, [upsert(n, 0, key, row)]),
    /** A window that is refused leaves the checkpoint where it is. */
    refused: (key: string, row: string, check: (error: unknown) => boolean) =>
      assert.rejects(fixture.apply(n + 1, [upsert(n + 1, 0, key, row)]), check, row),
    remove: (key: string) => fixture.apply(++n, [remove(n, 0, key)]),
  };
}

for (const [number, { type, shown = 'v', taken, refused = [], key = false }] of CASES.entries()) {
  test(`${type} (${number}): what CockroachDB writes is kept as it is, or refused with the row and the column`, async (t) => {
    const fixture = await createApplyFixture(t, mariadb, [`CREATE TABLE t (id int PRIMARY KEY, v ${type})`], ['t']);
    const steps = stepsOf(fixture);
    for (const [json, expected] of taken) {
      await steps.upsert('[1]', `{"id": 1, "v": ${json}}`);
      assert.deepEqual(await fixture.rows(`SELECT ${shown} AS v FROM t`), [[expected]], json);
    }
    for (const [json, reason] of refused) {
      await steps.refused('[7]', `{"id": 7, "v": ${json}}`, (error) => {
        if (!(error instanceof BadRowError)) throw error;
        assert.deepEqual([error.key, error.column], ['[7]', 'v'], `${json}: ${error.message}`);
        assert.match(error.reason, reason, json);
        return true;
      });
    }
    assert.deepEqual(await fixture.rows('SELECT id FROM t WHERE id = 7'), []);
    if (!key) return;

    const keyed = await createApplyFixture(t, mariadb, [`CREATE TABLE t (k ${type} PRIMARY KEY, n int)`], ['t:k']);
    const keys = stepsOf(keyed);
    for (const [json] of taken.filter(([one]) => one !== 'null')) {
      await keys.upsert(`[${json}]`, `{"k": ${json}, "n": 1}`);
      await keys.upsert(`[${json}]`, `{"k": ${json}, "n": 2}`);
      assert.deepEqual(await keyed.rows('SELECT n FROM t'), [['2']], json);
      await keys.remove(`[${json}]`);
      assert.deepEqual(await keyed.rows('SELECT n FROM t'), [], json);
    }
    // No row can have such a key: its delete is no change.
    for (const [json] of refused.filter(([one]) => one !== 'null')) await keys.remove(`[${json}]`);
  });
}
