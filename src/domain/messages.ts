import { GATES, type Gate } from './runbook-input.js';
import type { Phase } from './phases.js';

/** What a person may say to a running runbook, as a signal or, for those who want an answer, as an update. */
export const MESSAGES = [
  'pause',
  'resume',
  'finish',
  'rollback',
  'approve',
  'forwardStopped',
  'replayDeadLetters',
] as const;
export type Message = (typeof MESSAGES)[number];

/** Each in a few words, as the UI and `temporal workflow metadata` list them. */
export const MEANINGS: Readonly<Record<Message, string>> = {
  pause: 'the changefeed rests, and CockroachDB keeps the history',
  resume: 'ends a pause, or goes on after an incident that waits for a person',
  finish: 'compares every row of both sides, and ends the run when they are equal',
  rollback: 'undoes every phase; the rows applied so far stay',
  approve: 'opens a gate of the input: {"gate":"finish"}',
  forwardStopped: 'says that forward replication has drained and is stopped',
  replayDeadLetters: 'tries again what the target has refused and nothing newer has replaced',
};

/**
 * What a message does in a phase.
 * - `pauses`, `resumes`, `finishes`, `rollsBack`: as it says
 * - `opens`: opens its gate, now or when the gate is reached
 * - `notes`: is taken for true (the forward replicator has been stopped)
 * - `replays`: the stream tries its dead letters again, now or once it applies
 * - anything else is the reason why it is refused
 */
export type Effect =
  'pauses' | 'resumes' | 'finishes' | 'rollsBack' | 'opens' | 'notes' | 'replays' | { readonly refused: string };

const no = (refused: string): Effect => ({ refused });

const EARLY = {
  pause: no('there is nothing to pause yet: replication has not started'),
  resume: no('nothing is paused: replication has not started'),
  finish: no('cannot finish: replication has not started; to stop now, send rollback'),
  rollback: 'rollsBack',
  approve: 'opens',
  replayDeadLetters: no('there is nothing to replay yet: replication has not started'),
} as const satisfies Partial<Record<Message, Effect>>;

const DRAINED = no('forward replication is already known to be stopped');
const OVER: Record<Message, Effect> = {
  pause: no('the run has ended'),
  resume: no('the run has ended'),
  finish: no('the run has ended'),
  rollback: no('the run has ended'),
  approve: no('the run has ended'),
  forwardStopped: no('the run has ended'),
  replayDeadLetters: no('the run has ended'),
};

/** Every message in every phase. The documentation's table is checked against this one. */
export const MESSAGE_EFFECTS: Readonly<Record<Phase, Readonly<Record<Message, Effect>>>> = {
  preflight: { ...EARLY, forwardStopped: 'notes' },
  drain: { ...EARLY, forwardStopped: 'notes' },
  prepare: { ...EARLY, forwardStopped: DRAINED },
  // It goes on although rows of both sides differ as of the cursor.
  cursor: { ...EARLY, resume: 'resumes', forwardStopped: DRAINED },
  receiver: { ...EARLY, forwardStopped: DRAINED },
  changefeed: { ...EARLY, forwardStopped: DRAINED },
  replicate: {
    pause: 'pauses',
    resume: 'resumes',
    finish: 'finishes',
    rollback: 'rollsBack',
    approve: 'opens',
    forwardStopped: DRAINED,
    replayDeadLetters: 'replays',
  },
  paused: {
    pause: no('it is paused already'),
    resume: 'resumes',
    finish: no('cannot finish: paused; send resume first'),
    rollback: 'rollsBack',
    approve: 'opens',
    forwardStopped: DRAINED,
    replayDeadLetters: 'replays',
  },
  finish: {
    pause: no('cannot pause: it is finishing'),
    resume: no('nothing is paused: it is finishing'),
    finish: no('it is finishing already'),
    rollback: 'rollsBack',
    approve: 'opens',
    forwardStopped: DRAINED,
    replayDeadLetters: no('cannot replay: it is finishing'),
  },
  rollback: {
    pause: no('it is rolling back'),
    resume: no('it is rolling back'),
    finish: no('it is rolling back'),
    rollback: no('it is rolling back already'),
    approve: no('it is rolling back'),
    forwardStopped: no('it is rolling back'),
    replayDeadLetters: no('it is rolling back'),
  },
  ended: OVER,
};

/** Reads the gate that `approve` names; a text says why it cannot be honoured. */
export function readGate(
  payload: unknown,
  gatesOfThisRun: readonly Gate[],
): { readonly gate: Gate } | { readonly refused: string } {
  const named = typeof payload === 'object' && payload !== null && 'gate' in payload ? payload.gate : undefined;
  const gate = GATES.find((one) => one === named);
  if (gate === undefined) {
    const found = typeof named === 'string' ? `"${named.slice(0, 40)}"` : 'nothing';
    return {
      refused: `approve must name its gate, e.g. {"gate":"finish"}; found ${found}, known are ${GATES.join(', ')}`,
    };
  }
  if (!gatesOfThisRun.includes(gate))
    return { refused: `this run has no gate "${gate}": its input lists ${gatesOfThisRun.join(', ') || 'none'}` };
  return { gate };
}
