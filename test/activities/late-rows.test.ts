import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLateRowsAlarm } from '../../src/activities/late-rows.js';

test('late rows are told at once, then at most once a minute, with the count so far (protocol rule 10)', () => {
  const told: string[] = [];
  let now = 0;
  const alarm = createLateRowsAlarm(
    (cause) => told.push(/^\d+ rows?/.exec(cause)?.[0] ?? cause),
    () => now,
  );
  alarm.count(0);
  alarm.tick();
  assert.deepEqual(told, []);
  alarm.count(1);
  assert.deepEqual(told, ['1 row']);
  alarm.count(2);
  now = 59_999;
  alarm.tick();
  assert.deepEqual(told, ['1 row']);
  now = 60_000;
  alarm.tick();
  alarm.tick();
  assert.deepEqual(told, ['1 row', '3 rows']);
  now = 600_000;
  alarm.tick();
  assert.deepEqual(told, ['1 row', '3 rows'], 'nothing new, nothing to tell');
});
