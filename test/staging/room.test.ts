import assert from 'node:assert/strict';
import { test } from 'node:test';
import { budgetOf, mayGrow, roomOf, type Room } from '../../src/staging/room.js';

const BUDGET = budgetOf(100);

const TABLE: readonly [usedBytes: number, applying: boolean, room: Room, grows: boolean][] = [
  [0, false, 'free', true],
  [99, true, 'free', true],
  [100, true, 'waits', false],
  [1_000, true, 'waits', false],
  [100, false, 'overruns', true],
  [149, false, 'overruns', true],
  [150, false, 'none', false],
];

for (const [usedBytes, applying, room, grows] of TABLE)
  test(`${usedBytes} of 100 bytes, ${applying ? 'something' : 'nothing'} to apply: ${room} (protocol rule 12)`, () => {
    const found = roomOf(BUDGET, { usedBytes, applying });
    assert.deepEqual([found, mayGrow(found)], [room, grows]);
  });
