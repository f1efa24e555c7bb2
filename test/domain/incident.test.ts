import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyIncidentWord, openIncidents, type Incident, type IncidentWord } from '../../src/domain/incident.js';

const remedyOf = (type: string): string => `mend ${type}`;
const open = (cause: string, remedy?: string): IncidentWord => ({
  type: 'Target.Unavailable',
  open: true,
  cause,
  ...(remedy === undefined ? {} : { remedy }),
});
const close: IncidentWord = { type: 'Target.Unavailable', open: false };

function play(words: readonly IncidentWord[], from: readonly Incident[] = []): readonly Incident[] {
  return words.reduce((incidents, word, index) => applyIncidentWord(incidents, word, index + 1, remedyOf), from);
}

test('an incident has a start, a cause and the remedy of the catalogue', () => {
  assert.deepEqual(play([open('refused')]), [
    { type: 'Target.Unavailable', startedAt: 1, endedAt: null, cause: 'refused', remedy: 'mend Target.Unavailable' },
  ]);
});

test('a word of its own remedy wins over the catalogue', () => {
  assert.equal(play([open('refused', 'ALTER TABLE')])[0]?.remedy, 'ALTER TABLE');
});

test('the same trouble again is the same incident, and keeps its start', () => {
  const [only, ...rest] = play([open('refused'), open('timed out')]);
  assert.equal(rest.length, 0);
  assert.deepEqual([only?.startedAt, only?.cause], [1, 'timed out']);
});

test('a word that changes nothing returns the very list', () => {
  const before = play([open('refused')]);
  assert.equal(applyIncidentWord(before, open('refused'), 9, remedyOf), before);
  assert.equal(applyIncidentWord([], close, 9, remedyOf).length, 0);
  const ended = play([open('refused'), close]);
  assert.equal(applyIncidentWord(ended, close, 9, remedyOf), ended);
});

test('an ended incident keeps its end, and the next one is another', () => {
  const incidents = play([open('one'), close, open('two')]);
  assert.deepEqual(
    incidents.map(({ startedAt, endedAt }) => [startedAt, endedAt]),
    [
      [1, 2],
      [3, null],
    ],
  );
  assert.deepEqual(
    openIncidents(incidents).map(({ cause }) => cause),
    ['two'],
  );
});

test('closing one type leaves another open', () => {
  const incidents = play([open('one'), { type: 'Lag.TooHigh', open: true, cause: '9 s' }, close]);
  assert.deepEqual(
    openIncidents(incidents).map(({ type }) => type),
    ['Lag.TooHigh'],
  );
});

test('the newest twenty ended ones are kept, and all that are open', () => {
  const lag: IncidentWord = { type: 'Lag.TooHigh', open: true, cause: 'still' };
  const many = play([lag, ...Array.from({ length: 25 }, (_, index) => [open(`${index}`), close]).flat()]);
  const ended = many.filter(({ endedAt }) => endedAt !== null);
  assert.equal(ended.length, 20);
  assert.deepEqual([ended[0]?.cause, ended.at(-1)?.cause], ['5', '24']);
  assert.equal(openIncidents(many)[0]?.cause, 'still');
});
