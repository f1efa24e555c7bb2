import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MESSAGE_EFFECTS, MESSAGES, readGate, type Message } from '../../src/domain/messages.js';
import { PHASES, type Phase } from '../../src/domain/phases.js';

/** One letter for each message, in the order of `MESSAGES`: P pauses, R resumes, F finishes, B rolls back, O opens, N notes, Y replays, - refused. */
const TABLE: Readonly<Record<Phase, string>> = {
  //           pause resume finish rollback approve forwardStopped replayDeadLetters
  preflight: '---BON-',
  drain: '---BON-',
  prepare: '---BO--',
  cursor: '-R-BO--',
  receiver: '---BO--',
  changefeed: '---BO--',
  replicate: 'PRFBO-Y',
  paused: '-R-BO-Y',
  finish: '---BO--',
  rollback: '-------',
  ended: '-------',
};
const LETTER = {
  pauses: 'P',
  resumes: 'R',
  finishes: 'F',
  rollsBack: 'B',
  opens: 'O',
  notes: 'N',
  replays: 'Y',
} as const;

for (const phase of PHASES) {
  test(`messages in phase ${phase}`, () => {
    const effects = MESSAGES.map((message) => MESSAGE_EFFECTS[phase][message]);
    const letters = effects.map((effect) => (typeof effect === 'object' ? '-' : LETTER[effect])).join('');
    assert.equal(letters, TABLE[phase]);
  });
}

test('every message has an effect in every phase, and every refusal says why', () => {
  for (const phase of PHASES)
    for (const message of MESSAGES) {
      const effect = MESSAGE_EFFECTS[phase][message];
      if (typeof effect === 'object') assert.ok(effect.refused.length > 10, `${phase} ${message}`);
    }
});

const REASONS: readonly (readonly [Phase, Message, RegExp])[] = [
  ['paused', 'finish', /^cannot finish: paused; send resume first$/],
  ['drain', 'finish', /replication has not started.*send rollback/],
  ['finish', 'pause', /it is finishing/],
  ['rollback', 'rollback', /rolling back already/],
  ['ended', 'rollback', /the run has ended/],
  ['replicate', 'forwardStopped', /already known to be stopped/],
  ['drain', 'replayDeadLetters', /replication has not started/],
  ['finish', 'replayDeadLetters', /it is finishing/],
];
for (const [phase, message, words] of REASONS) {
  test(`${message} in ${phase} is refused with its reason`, () => {
    const effect = MESSAGE_EFFECTS[phase][message];
    assert.ok(typeof effect === 'object');
    assert.match(effect.refused, words);
  });
}

test('approve names its gate', () => {
  assert.deepEqual(readGate({ gate: 'finish' }, ['forward', 'finish']), { gate: 'finish' });
});

const WRONG_GATES: readonly (readonly [string, unknown, RegExp])[] = [
  ['nothing', undefined, /must name its gate.*found nothing.*known are forward, finish/],
  ['a bare word', 'finish', /must name its gate.*found nothing/],
  ['no text', { gate: 7 }, /found nothing/],
  ['an unknown gate', { gate: 'finnish' }, /found "finnish"/],
  ['a name of object', { gate: 'toString' }, /found "toString"/],
  ['a gate that is not of this run', { gate: 'forward' }, /no gate "forward": its input lists finish/],
];
for (const [what, payload, words] of WRONG_GATES) {
  test(`approve with ${what} is refused`, () => {
    const answer = readGate(payload, ['finish']);
    assert.ok('refused' in answer);
    assert.match(answer.refused, words);
  });
}

test('a long wrong gate is not echoed in full', () => {
  const answer = readGate({ gate: 'x'.repeat(500) }, []);
  assert.ok('refused' in answer && answer.refused.length < 200);
});
