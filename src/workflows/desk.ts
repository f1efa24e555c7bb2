import {
  CancellationScope,
  CancelledFailure,
  condition,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  upsertMemo,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { FAILURES } from '../domain/failures.js';
import { applyIncidentWord, type IncidentWord } from '../domain/incident.js';
import { MEANINGS, MESSAGE_EFFECTS, MESSAGES, readGate, type Effect, type Message } from '../domain/messages.js';
import type { Phase } from '../domain/phases.js';
import type { Gate } from '../domain/runbook-input.js';
import { renderStatusPage } from '../domain/status-page.js';
import { MESSAGES_KEPT, type RunbookStatus } from '../domain/status.js';
import {
  incidentSignal,
  personSignals,
  personUpdates,
  reportQuery,
  statusQuery,
  streamStatusSignal,
} from './messages.js';
import { overdue } from './overdue.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What people have asked for; the runbook reads it, and takes back what it has carried out. */
export interface Wishes {
  paused: boolean;
  finish: boolean;
  rollback: boolean;
  forwardStopped: boolean;
  /** Counts `resume`, so that something that waits for one can tell a new one from an old one. */
  resumes: number;
  /** Counts `replayDeadLetters` likewise. */
  replays: number;
}

/**
 * The front desk of a run: takes messages, keeps the status, shows it. Decides nothing but whether a message can be honoured
 * (`MESSAGE_EFFECTS`); what it means is carried out by the runbook, which awaits the wishes.
 */
export interface Desk {
  readonly status: Readonly<RunbookStatus>;
  readonly wishes: Wishes;
  /** The gates of this run's input; known once the input is read. */
  admitGates(gates: readonly Gate[]): void;
  /** Search attributes that are registered; upserting another would wedge the workflow task. */
  knowSearchAttributes(names: readonly string[]): void;
  /** Begins a phase. @throws {CancelledFailure} in a cancelled scope: the run stays in the phase in which it was cancelled. */
  enter(phase: Phase): void;
  update(change: Partial<Omit<RunbookStatus, 'run' | 'phase' | 'phaseSince' | 'asOf'>>): void;
  incident(word: IncidentWord): void;
  /** Waits at a gate when the input lists it; an incident starts when it takes longer than `limitMs`. */
  passGate(gate: Gate, limitMs: number): Promise<void>;
}

/** Registers every handler; call it before the first await of the workflow. */
export function openDesk(onRollback: () => void): Desk {
  const run = workflowInfo().workflowId;
  const status: Mutable<RunbookStatus> = {
    run,
    phase: 'preflight',
    phaseSince: Date.now(),
    asOf: Date.now(),
    waitingFor: null,
    openGates: [],
    applicationMayWriteSince: null,
    forward: null,
    atCursor: null,
    warnings: [],
    stream: null,
    incidents: [],
    messages: [],
    ending: null,
  };
  const wishes: Wishes = {
    paused: false,
    finish: false,
    rollback: false,
    forwardStopped: false,
    resumes: 0,
    replays: 0,
  };
  const approved = new Set<Gate>();
  let gates: readonly Gate[] = [];
  let searchAttributes: readonly string[] = [];

  const show = (): void => {
    status.asOf = Date.now();
    setCurrentDetails(renderStatusPage(status));
  };
  const record = (message: string, effect: string, honoured: boolean): void => {
    status.messages = [...status.messages, { at: Date.now(), message, effect, honoured }].slice(-MESSAGES_KEPT);
    show();
  };

  /** Says what the message would do now, or why not. */
  const consider = (message: Message, payload: unknown): Effect => {
    const effect = MESSAGE_EFFECTS[status.phase][message];
    if (effect !== 'opens') return effect;
    const gate = readGate(payload, gates);
    return 'refused' in gate ? gate : effect;
  };

  const carryOut = (message: Message, payload: unknown): string => {
    const effect = consider(message, payload);
    if (typeof effect === 'object') {
      record(message, `not honoured: ${effect.refused}`, false);
      return effect.refused;
    }
    const said = takeWish(effect, payload);
    record(message, said, true);
    return said;
  };

  const takeWish = (effect: Exclude<Effect, object>, payload: unknown): string => {
    switch (effect) {
      case 'pauses':
        wishes.paused = true;
        return 'pausing: the changefeed is paused, then what is resolved is applied';
      case 'resumes':
        wishes.paused = false;
        wishes.resumes += 1;
        return 'resuming';
      case 'finishes':
        wishes.finish = true;
        return 'finishing';
      case 'rollsBack':
        wishes.rollback = true;
        onRollback();
        return 'rolling back';
      case 'notes':
        wishes.forwardStopped = true;
        return 'noted: the forward replicator has been stopped';
      case 'replays':
        wishes.replays += 1;
        return 'asking the stream to try its dead letters again';
      case 'opens': {
        const gate = readGate(payload, gates);
        if ('refused' in gate) return gate.refused;
        approved.add(gate.gate);
        status.openGates = [...approved];
        return `gate "${gate.gate}" is open`;
      }
    }
  };

  for (const message of MESSAGES) {
    const description = MEANINGS[message];
    setHandler(personSignals[message], (payload?: unknown) => void carryOut(message, payload), { description });
    setHandler(personUpdates[message], (payload?: unknown) => carryOut(message, payload), {
      description,
      validator: (payload?: unknown) => {
        const effect = consider(message, payload);
        if (typeof effect === 'object') throw new Error(effect.refused);
      },
    });
  }
  setHandler(statusQuery, () => status, { description: 'one object of what was last known' });
  setHandler(reportQuery, () => renderStatusPage(status), { description: 'the same as a page for people' });
  const description = 'of the stream, not for people';
  setHandler(
    streamStatusSignal,
    (stream) => {
      status.stream = stream;
      show();
    },
    { description },
  );
  setHandler(incidentSignal, (word) => desk.incident(word), { description });
  setDefaultSignalHandler((name) => {
    record(name, `not honoured: there is no such message; known are ${MESSAGES.join(', ')}`, false);
  });

  const desk: Desk = {
    status,
    wishes,
    admitGates(names) {
      gates = names;
    },
    knowSearchAttributes(names) {
      searchAttributes = names;
    },
    enter(phase) {
      // What was under way when a rollback was asked may still succeed; the next phase is not begun.
      if (CancellationScope.current().consideredCancelled) throw new CancelledFailure(`phase ${phase} is not begun`);
      status.phase = phase;
      status.phaseSince = Date.now();
      status.waitingFor = null;
      upsertMemo({ phase });
      if (searchAttributes.includes('FailbackPhase')) upsertSearchAttributes({ FailbackPhase: [phase] });
      show();
    },
    update(change) {
      Object.assign(status, change);
      show();
    },
    incident(word) {
      status.incidents = applyIncidentWord(status.incidents, word, Date.now(), (type) => FAILURES[type].remedy);
      show();
    },
    async passGate(gate, limitMs) {
      if (!gates.includes(gate)) return;
      if (!approved.has(gate)) {
        desk.update({ waitingFor: `approve {"gate":"${gate}"}` });
        await overdue(
          limitMs,
          () =>
            desk.incident({
              type: 'Approval.Awaited',
              open: true,
              cause: `gate "${gate}" has waited for its approval for too long`,
            }),
          () => condition(() => approved.has(gate)),
        );
        desk.incident({ type: 'Approval.Awaited', open: false });
        desk.update({ waitingFor: null });
      }
      // An approval is for one passage: a second finish asks again.
      approved.delete(gate);
      desk.update({ openGates: [...approved] });
    },
  };
  return desk;
}
