import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { createAtOnce, type AtOnce } from '../apply/at-once.js';
import { runAttempt, type AttemptOptions, type Taken } from '../apply/attempt.js';
import { createBell } from '../apply/bell.js';
import { NO_PROGRESS, type ApplyIncident, type ApplyProgress } from '../apply/progress.js';
import type {
  AttemptEnd,
  AttemptProgress,
  DeliveredWord,
  ListeningWord,
  MirroredStage,
  TroubleWord,
} from '../domain/attempt.js';
import { formatHlc, hlcToMillis, HLC_ZERO, type Hlc } from '../domain/hlc.js';
import type { ApplyGroup } from '../domain/apply-groups.js';
import type { Place } from '../domain/place.js';
import type { RunbookInput } from '../domain/runbook-input.js';
import type { StagingInput } from '../domain/staging.js';
import type { StreamPlan } from '../domain/table.js';
import { createIntake, type Intake } from '../receiver/intake.js';
import type { Receiver } from '../receiver/server.js';
import type { StageBudget } from '../staging/room.js';
import { StageBusyError, StageUnavailableError, type Stage } from '../staging/stage.js';
import type { Access } from './access.js';
import { isCurrentAttempt } from './current-attempt.js';
import { CataloguedError, translate, translated } from './failure-translation.js';
import { createLateRowsAlarm } from './late-rows.js';
import { createFeedWish } from './feed-wish.js';
import { createOwners } from './owners.js';
import { createStageRoom } from './stage-room.js';
import { createPullIntake, type PullWish } from './pull-intake.js';
import { watchSource } from './source-watch.js';
import { watchStop } from './stop-watch.js';
import { createTroubleTeller, stageTrouble } from './trouble.js';
import { createWords } from './words.js';

export interface AttemptWish {
  readonly place: Place;
  readonly stream: string;
  /** The attempt's identity, random (protocol rules C and 38). */
  readonly token: string;
  /** Workflow that hears the attempt's words. */
  readonly workflowId: string;
  readonly plan: StreamPlan;
  readonly targetDatabase: string;
  readonly targetSchema: string;
  readonly enforcementOff: boolean;
  readonly apply: RunbookInput['apply'];
  /** Not null: the attempt reads its changefeed itself, over the connection to the source. */
  readonly pull?: PullWish | null;
  readonly renew: boolean;
  /** What the last heartbeat of the attempt before said of its stage; a stage that knows less is a copy of an old disk (protocol rule 15). */
  readonly mirrored: MirroredStage | null;
  /** The database that holds the stage; absent: it is in a folder of this host. */
  readonly staging?: StagingInput | undefined;
}

export interface AttemptReceiver extends Pick<Receiver, 'register'> {
  /** `https://host:port`, as CockroachDB reaches it. */
  readonly advertisedUrl: string;
}

export interface AttemptHost {
  /** Name of this host's task queue. */
  readonly host: string;
  /** Null: this worker has none, and can only pull. */
  readonly receiver: AttemptReceiver | null;
  /** Of each stage. */
  readonly budget: StageBudget;
  /** @throws StageBusyError, StageUnavailableError, UnknownConnectionError */
  openStage(stream: string, place: Place, staging: StagingInput | undefined): Stage | Promise<Stage>;
  /** Told the figures of every live attempt, for `/_/varz`. */
  readonly onFigures: (figures: AttemptProgress | null, stream: string) => void;
  /** Told of every attempt that ended by itself because nobody waits for it any more. */
  readonly onOrphaned: () => void;
}

const HEARTBEAT_EVERY_MS = 1_000;
const ABORT_GRACE_MS = 5_000;
const RETRY = { firstMs: 200, maxMs: 10_000 };
/** Immediate mode: a body waits for the target for so long at most, well within the client's time-out of the changefeed. */
const AT_ONCE = { waitMs: 2_000, restMs: 1_000 };

/** The long-running activity of a stream: hosts its stage and its apply loop behind the worker's receiver. */
export function createReceiveAndApply(access: Access, host: AttemptHost) {
  const owners = createOwners();
  return translated({
    async receiveAndApply(wish: AttemptWish): Promise<AttemptEnd> {
      const context = Context.current();
      const { stream } = wish;
      // A run of an earlier release has no such fields.
      const { retireOffset = 0, mode = 'consistent' }: Partial<RunbookInput['apply']> = wish.apply;
      // Before the attempt of this process is thrown out, if there is one.
      if (!(await isCurrentAttempt(context))) {
        context.log.info(`stream ${stream}: this attempt is no longer current; it does not begin`);
        return { ended: 'takenOver' };
      }
      const ownership = await owners.take(stream);
      const gone = new AbortController();
      const over = new AbortController();
      /** The stage has another owner: nothing can be taken any more, and an idle apply loop would not notice. */
      const dispossessed = new AbortController();
      const unwanted = AbortSignal.any([context.cancellationSignal, ownership.signal, gone.signal]);
      const signal = AbortSignal.any([unwanted, dispossessed.signal]);
      /** What looks beside the attempt ends with it; its last words may still be on their way. */
      const beside = AbortSignal.any([signal, over.signal]);
      const log = (message: string): void => {
        context.log.info(message);
      };
      let stage: Stage | null = null;
      let atOnce: AtOnce | null = null;
      let stopHeartbeat: () => void = () => undefined;
      try {
        stage = await whileBeating(context, wish.mirrored, async () =>
          host.openStage(stream, wish.place, wish.staging),
        );
        const held = stage;
        const words = createWords({
          client: context.client,
          workflowId: wish.workflowId,
          signal,
          onGone: () => gone.abort(new Error('the workflow of this stream is gone')),
          log,
        });
        if (!wish.pull) requireReceiver(host);
        const attempt = openAttempt(wish, host, held, words.say, (error) => dispossessed.abort(error));
        stopHeartbeat = attempt.startHeartbeat((figures) => {
          context.heartbeat(figures);
          host.onFigures(figures, stream);
        });
        const source = watchSource({
          access,
          place: wish.place,
          stream,
          plan: wish.plan,
          bell: attempt.bell,
          signal: beside,
          log,
        });
        const changed = await source.begin();
        if (changed !== null) return halted(changed);
        const openSession = (group?: ApplyGroup) =>
          access.target(wish.place).openApplySession({
            plan: wish.plan,
            stream,
            checkpointSchema: wish.place.checkpointSchema,
            flushSize: wish.apply.flushSize,
            extraColumns: wish.apply.extraColumns,
            onBadRow: wish.apply.onBadRow,
            enforcementOff: wish.enforcementOff,
            collapseMutations: wish.apply.collapseMutations,
            immediate: mode === 'immediate',
            lockTimeoutMs: wish.apply.lockTimeout,
            idleInTransactionTimeoutMs: wish.apply.idleInTransactionTimeout,
            ...(group === undefined ? {} : { group }),
          });
        const beforeAck =
          mode === 'immediate'
            ? createAtOnce({ stream, token: attempt.token, openSession: () => openSession(), source, log, ...AT_ONCE })
            : null;
        atOnce = beforeAck;
        const wanted = createFeedWish();
        const stop = watchStop(access, wish.place, stream, attempt.bell, wanted, beside, log);
        const pull = wish.pull
          ? createPullIntake({
              access,
              place: wish.place,
              stream,
              tables: wish.plan.map((table) => table.source),
              wish: wish.pull,
              retry: RETRY,
              wanted,
              checkSource: source.look,
              onTrouble: attempt.onSourceTrouble,
              onRefused: () => attempt.bell.ring(),
              log,
            })
          : null;
        const outcome = await runAttempt({
          stage: held,
          stream,
          token: attempt.token,
          plan: wish.plan,
          renew: wish.renew,
          renewEach: pull !== null,
          mirrored: wish.mirrored,
          signal,
          bell: attempt.bell,
          limits: { rows: wish.apply.windowRows, bytes: wish.apply.windowBytes },
          idleAdvanceMs: wish.apply.idleAdvance,
          retireOffsetMs: retireOffset,
          abortGraceMs: ABORT_GRACE_MS,
          retry: RETRY,
          log,
          source: { ...source, changed: () => source.changed() ?? pull?.refused() ?? null },
          ...tuningOf(wish.apply),
          openSession,
          atOnce: beforeAck,
          listen: (incarnation, again) => {
            const { receive } = attempt.takeIn(incarnation, beforeAck);
            if (pull !== null)
              return pull.open({ incarnation, cursor: held.binding()?.resolved ?? HLC_ZERO, receive, again });
            const path = [wish.targetDatabase, wish.targetSchema];
            return requireReceiver(host).register({ stream, path, token: attempt.token, receive });
          },
          onTaken: attempt.onTaken,
          onTrouble: attempt.onTrouble,
          onProgress: attempt.onProgress,
          stopAt: () => stop.at(),
          onHold: (hold) => stop.report(attempt.token, hold),
        });
        switch (outcome.ended) {
          case 'halted':
            return halted(outcome.error);
          case 'fenced':
            if (outcome.found === null)
              throw new CataloguedError(
                'Checkpoint.Missing',
                `the checkpoint row of stream ${stream} is gone from the target`,
              );
            return { ended: 'takenOver' };
          case 'aborted':
            if (ownership.signal.aborted) return { ended: 'takenOver' };
            if (dispossessed.signal.aborted) throw dispossessed.signal.reason;
            if (context.cancellationDetails?.workerShutdown) return { ended: 'shutdown' };
            // Terminated, for example: nobody hears us any more, so nobody would stop us (protocol rule 39).
            if (gone.signal.aborted || context.cancellationDetails?.notFound) {
              log(
                `stream ${stream}: its workflow is gone, or has given this attempt up; the attempt has ended by itself`,
              );
              host.onOrphaned();
            }
            throw new CancelledFailure('the attempt was cancelled');
        }
      } finally {
        over.abort();
        stopHeartbeat();
        await atOnce?.close();
        await stage?.close();
        host.onFigures(null, stream);
        ownership.letGo();
      }
    },
  });
}

/** A stage elsewhere may take longer to open than the time after which the worker is missed. What the attempt before has mirrored is kept meanwhile. */
async function whileBeating<T>(context: Context, last: MirroredStage | null, work: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => context.heartbeat(last ?? undefined), HEARTBEAT_EVERY_MS);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}

/** @throws CataloguedError: the stream takes another host, or the worker is given one */
function requireReceiver({ host, receiver }: AttemptHost): AttemptReceiver {
  if (receiver !== null) return receiver;
  throw new CataloguedError(
    'Receiver.Unreachable',
    `worker ${host} has no receiver (FAILBACK_RECEIVER_URL is not set), and the intake of this run is a webhook`,
  );
}

/** What the input may leave to the loop. */
function tuningOf({
  scanSize,
  targetApplyQueueSize,
  flushPeriod,
}: RunbookInput['apply']): Pick<AttemptOptions, 'scanSize' | 'queueSize' | 'flushPeriodMs'> {
  return {
    ...(scanSize === undefined ? {} : { scanSize }),
    ...(targetApplyQueueSize === undefined ? {} : { queueSize: targetApplyQueueSize }),
    ...(flushPeriod === undefined ? {} : { flushPeriodMs: flushPeriod }),
  };
}

/** An end that waits for a person. */
function halted(error: unknown): AttemptEnd {
  const { type, message, remedy } = translate(error);
  return { ended: 'halted', type, cause: message, remedy };
}

/** What one attempt keeps in mind: its figures, and what it has said already. */
function openAttempt(
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
