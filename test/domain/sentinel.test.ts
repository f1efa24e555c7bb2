import assert from 'node:assert/strict';
import { test } from 'node:test';
import { findSentinelProblems, type SentinelShape } from '../../src/domain/sentinel.js';

const shape = (
  columns: Readonly<Record<string, string>>,
  primaryKey: readonly string[] = ['id'],
  required: readonly string[] = [],
): SentinelShape => ({
  columns: Object.entries(columns).map(([name, type]) => ({ name, type, required: required.includes(name) })),
  primaryKey,
});

const FIT: readonly (readonly [what: string, shape: SentinelShape])[] = [
  ['as CockroachDB spells it', shape({ id: 'STRING', written_at: 'TIMESTAMPTZ' })],
  ['as PostgreSQL spells it', shape({ id: 'text', written_at: 'timestamp with time zone' })],
  ['a length that is enough', shape({ id: 'character varying(36)', written_at: 'TIMESTAMPTZ(3)' })],
  ['its own columns are required', shape({ id: 'text', written_at: 'timestamptz' }, ['id'], ['id', 'written_at'])],
  ['another column with a default', shape({ id: 'text', written_at: 'timestamptz', note: 'text' })],
];
for (const [what, table] of FIT) {
  test(`a table fits the sentinel: ${what}`, () => assert.deepEqual(findSentinelProblems(table), []));
}

const UNFIT: readonly (readonly [what: string, shape: SentinelShape, problem: RegExp])[] = [
  ['no id', shape({ written_at: 'timestamptz' }), /column id is missing, expected a text/],
  ['an id of another type', shape({ id: 'INT8', written_at: 'TIMESTAMPTZ' }), /column id is INT8/],
  ['an id too short', shape({ id: 'STRING(35)', written_at: 'TIMESTAMPTZ' }), /column id is STRING\(35\).*36/],
  ['a list of ids', shape({ id: 'STRING[]', written_at: 'TIMESTAMPTZ' }), /column id is STRING\[\]/],
  ['no time', shape({ id: 'text' }), /column written_at is missing, expected timestamptz/],
  ['a time without zone', shape({ id: 'text', written_at: 'timestamp without time zone' }), /without time zone/],
  ['no key', shape({ id: 'text', written_at: 'timestamptz' }, []), /the primary key is \(\), expected \(id\)/],
  ['a wider key', shape({ id: 'text', written_at: 'timestamptz' }, ['id', 'written_at']), /\(id, written_at\)/],
  [
    'another column that must be given',
    shape({ id: 'text', written_at: 'timestamptz', note: 'text' }, ['id'], ['note']),
    /column note has no default/,
  ],
];
for (const [what, table, problem] of UNFIT) {
  test(`a table does not fit the sentinel: ${what}`, () => {
    const problems = findSentinelProblems(table);
    assert.equal(problems.length, 1, problems.join('; '));
    assert.match(problems[0] ?? '', problem);
  });
}

test('everything that is wrong is said at once', () => {
  assert.equal(findSentinelProblems(shape({ note: 'text' }, [], ['note'])).length, 4);
});
