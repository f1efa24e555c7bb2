import type { AtOnce } from '../apply/at-once.js';
import type { Taken } from '../apply/attempt.js';
import { createBell } from '../apply/bell.js';
import { NO_PROGRESS, type ApplyIncident, type ApplyProgress } from '../apply/progress.js';
import type { AttemptProgress, DeliveredWord, ListeningWord, TroubleWord } from '../domain/attempt.js';
import { formatHlc, hlcToMillis, HLC_ZERO, type Hlc } from '../domain/hlc.js';
import { createIntake, type Intake } from '../receiver/intake.js';
import { StageBusyError, StageUnavailableError, type Stage } from '../staging/stage.js';
import type { AttemptHost, AttemptWish } from './attempt-host.js';
import { createLateRowsAlarm } from './late-rows.js';
import { createStageRoom } from './stage-room.js';
import { createTroubleTeller, stageTrouble } from './trouble.js';

export const HEARTBEAT_EVERY_MS = 1_000;

/** What one attempt keeps in mind: its figures, and what it has said already. */
export function openAttempt(
  wish: AttemptWish,
  host: AttemptHost,
  stage: Stage,
  say: (signal: string, payload: unknown) => void,
  onDispossessed: (error: StageBusyError) => void,
) {
  const { token } = wish;
  const bell = createBell();
  let taken: Taken | null = null;
  let committed: Hlc = HLC_ZERO;
  let progress: ApplyProgress = NO_PROGRESS;
  let intake: Intake | null = null;
  let applier: AtOnce | null = null;

  const figures = (): AttemptProgress => {
    const resolved = stage.binding()?.resolved ?? HLC_ZERO;
    const received = intake?.figures();
    const { entries, usedBytes } = stage.figures();
    const atOnce = applier?.figures();
    return {
      stream: wish.stream,
      token,
      incarnation: taken?.incarnation ?? 0,
      stageId: stage.id,
      applied: formatHlc(committed),
      resolved: formatHlc(resolved),
      lagMs: Math.max(0, hlcToMillis(resolved) - hlcToMillis(committed)),
      received: received?.rows ?? 0,
      upserts: progress.upserts + (atOnce?.upserts ?? 0),
      deletes: progress.deletes + (atOnce?.deletes ?? 0),
      redelivered: received?.redelivered ?? 0,
      dropped: received?.dropped ?? 0,
      late: received?.late ?? 0,
      stagedChanges: entries,
      stagedBytes: usedBytes,
      stageBudgetBytes: host.budget.budgetBytes,
      deadLetters: progress.deadLetters,
    };
  };

  const trouble = createTroubleTeller((word) => say('trouble', { token, ...word } satisfies TroubleWord));
  const onTrouble = (incident: ApplyIncident | null): void =>
    trouble.tell(
      'apply',
      incident && {
        type: incident.side === 'stage' ? stageTrouble(incident.code) : 'Target.Unavailable',
        cause: incident.message,
        failures: incident.attempts,
      },
    );

  /** What the stage says to the intake goes to CockroachDB, which sends again; the attempt itself would hear nothing of it. */
  let refusals = 0;
  const heed = async (receiving: Promise<void>): Promise<void> => {
    try {
      await receiving;
      if (refusals > 0) trouble.tell('intake', null);
      refusals = 0;
    } catch (error) {
      if (error instanceof StageBusyError) onDispossessed(error);
      if (error instanceof StageUnavailableError)
        trouble.tell('intake', { type: stageTrouble(error.code), cause: error.message, failures: (refusals += 1) });
      throw error;
    }
  };
  const onSourceTrouble = (incident: Pick<ApplyIncident, 'attempts' | 'message'> | null): void =>
    trouble.tell(
      'feed',
      incident && { type: 'Source.Unavailable', cause: incident.message, failures: incident.attempts },
    );

  const lateRows = createLateRowsAlarm(
    (cause) => say('trouble', { token, type: 'Changefeed.LateRows', cause } satisfies TroubleWord),
    () => performance.now(),
  );

  const room = createStageRoom(
    stage,
    host.budget,
    () => committed,
    (cause) => say('trouble', { token, type: 'Stage.OverBudget', cause } satisfies TroubleWord),
  );

  return {
    token,
    bell,
    onTrouble,
    onSourceTrouble,
    startHeartbeat: (beat: (figures: AttemptProgress) => void): (() => void) => {
      beat(figures());
      const timer = setInterval(() => {
        beat(figures());
        lateRows.tick();
        room.tick();
      }, HEARTBEAT_EVERY_MS);
      return () => clearInterval(timer);
    },
    /** What is received for an incarnation, whichever way it comes. */
    takeIn: (incarnation: number, atOnce: AtOnce | null): Intake => {
      let delivered = false;
      applier = atOnce;
      const opened = createIntake({
        stream: wish.stream,
        plan: wish.plan,
        stage,
        committed: () => committed,
        mayGrow: () => room.mayGrow(),
        ...(atOnce && { applyAtOnce: (rows) => atOnce.apply(rows) }),
        onAccepted: ({ resolved, late }) => {
          lateRows.count(late);
          if (resolved === null) return;
          bell.ring();
          if (delivered) return;
          delivered = true;
          say('delivered', { token, incarnation, resolved: formatHlc(resolved) } satisfies DeliveredWord);
        },
      });
      intake = opened;
      return { ...opened, receive: (of, body) => heed(opened.receive(of, body)) };
    },
    onTaken: (now: Taken): Promise<void> => {
      taken = now;
      committed = now.applied;
      say('listening', {
        token,
        host: host.host,
        incarnation: now.incarnation,
        cursor: formatHlc(now.cursor),
        applied: formatHlc(now.applied),
        receiverUrl: wish.pull ? '' : (host.receiver?.advertisedUrl ?? ''),
        stageKept: now.stageKept,
      } satisfies ListeningWord);
      return Promise.resolve();
    },
    onProgress: (now: ApplyProgress): void => {
      progress = now;
      if (now.applied !== null) committed = now.applied;
      onTrouble(now.incident);
    },
  };
}
