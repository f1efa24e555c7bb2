import { Context } from '@temporalio/activity';
import { CancelledFailure } from '@temporalio/common';
import { createAtOnce, type AtOnce } from '../apply/at-once.js';
import { runAttempt, type AttemptOptions } from '../apply/attempt.js';
import type { ApplyGroup } from '../domain/apply-groups.js';
import type { AttemptEnd, MirroredStage } from '../domain/attempt.js';
import { HLC_ZERO } from '../domain/hlc.js';
import type { RunbookInput } from '../domain/runbook-input.js';
import type { Stage } from '../staging/stage.js';
import type { Access } from './access.js';
import { requireReceiver, type AttemptHost, type AttemptWish } from './attempt-host.js';
import { isCurrentAttempt } from './current-attempt.js';
import { CataloguedError, translate, translated } from './failure-translation.js';
import { createFeedWish } from './feed-wish.js';
import { HEARTBEAT_EVERY_MS, openAttempt } from './open-attempt.js';
import { createOwners } from './owners.js';
import { createPullIntake } from './pull-intake.js';
import { watchSource } from './source-watch.js';
import { watchStop } from './stop-watch.js';
import { createWords } from './words.js';

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
            return requireReceiver(host).register({ stream, path: wish.sinkPath, token: attempt.token, receive });
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
