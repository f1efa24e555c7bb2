import { Context } from '@temporalio/activity';
import { captureCursor } from '../cockroach/clock.js';
import type { Cockroach } from '../cockroach/client.js';
import { settleJobs } from '../cockroach/ensure-changefeed.js';
import { cancelLower } from '../cockroach/job-control.js';
import { listStreamJobs, sendsTo, type ChangefeedJob } from '../cockroach/jobs.js';
import { readProtectionMaxAge, readUnprotectedHistory } from '../cockroach/protection.js';
import { judgeChangefeed, judgePulled, LIFE_OF_STATUS } from '../domain/changefeed-health.js';
import { describeDeadLetters, type DeadLetters } from '../domain/dead-letters.js';
import { formatHlc, HLC_ZERO, hlcToMillis, parseHlc, type Hlc } from '../domain/hlc.js';
import { isOnlyCopy, type UnprotectedHistory } from '../domain/only-copy.js';
import type { Place } from '../domain/place.js';
import { receiverAddress } from '../domain/receiver-address.js';
import type { Intake } from '../domain/runbook-input.js';
import { viewChanged, type StreamView } from '../domain/stream-view.js';
import type { TableName } from '../domain/table.js';
import { withSource, withStore, type Access } from './access.js';
import type { TargetDriver } from '../targets/driver.js';
import type { CheckpointStore } from '../targets/target.js';
import { CataloguedError, translate, translated } from './failure-translation.js';
import { pause } from './pause.js';

export interface WatchWish {
  readonly place: Place;
  readonly stream: string;
  /** Source tables of the stream. */
  readonly tables?: readonly TableName[];
  readonly incarnation: number;
  /** Where the attempt that serves this incarnation is reached. */
  readonly receiverUrl: string;
  /** Absent: a webhook. With `pull` there is no job, and what is delivered is all that can be watched. */
  readonly intake?: Intake;
  /** What the stream wants of its changefeed now. */
  readonly wanted: 'running' | 'paused';
  /** A resolved timestamp of this incarnation has been taken durably. */
  readonly proven: boolean;
  /** For how long the changefeed has been resting already, in milliseconds. */
  readonly restingMs: number;
  /** What the caller knows already; the watch returns when there is something else to know. */
  readonly known: StreamView | null;
  readonly everyMs: number;
  readonly stallAfterMs: number;
  readonly maxLagMs: number;
  /** Returns after so long in any case: the roll-up. */
  readonly atMostMs: number;
}

/** A side may be away for so long before it is called trouble: a restart is none. In milliseconds. */
const TROUBLE_AFTER_MS = 5_000;

/** Activities that look at a running stream. */
export function createWatchActivities(access: Access) {
  return translated({
    /**
     * Health polling as one heartbeating activity that returns only on change, or when the roll-up is due. Each look lists all live jobs of
     * the stream and ends surplus and lower ones (protocol rule 6).
     */
    async watchStream(wish: WatchWish): Promise<StreamView> {
      const context = Context.current();
      const signal = context.cancellationSignal;
      const started = performance.now();
      const sides = openSides(access, wish.place);
      const isPull = wish.intake === 'pull';
      let view = wish.known ?? NOTHING_SEEN;
      const judgeLag = (lagMs: number) => ({
        lagMs,
        lagging: lagMs > wish.maxLagMs,
        onlyCopy: isOnlyCopy(history, lagMs) ? history : null,
      });
      let advancedAt = started;
      let failingSince: number | null = null;
      let protectionMaxAgeMs: number | null | undefined;
      let history: UnprotectedHistory | null = null;
      try {
        for (;;) {
          try {
            const source = await sides.source();
            if (protectionMaxAgeMs === undefined) {
              history = await readUnprotectedHistory(source, wish.tables ?? []);
              protectionMaxAgeMs = await readProtectionMaxAge(source);
            }
            const look = await lookOnce(
              { source, target: access.target(wish.place), store: await sides.store() },
              wish,
              signal,
            );
            const now = performance.now();
            if (look.applied !== view.applied) advancedAt = now;
            failingSince = null;
            const watched = {
              delivery: { proven: wish.proven, sinceAdvanceMs: now - advancedAt },
              wanted: wish.wanted,
              stallAfterMs: wish.stallAfterMs,
            };
            const verdict = isPull
              ? judgePulled(watched)
              : judgeChangefeed({
                  ...watched,
                  job: look.job,
                  sendsElsewhere: elsewhere(look.job, wish.receiverUrl),
                  restingMs: wish.restingMs + (now - started),
                  protectionMaxAgeMs,
                });
            view = {
              jobId: look.job?.jobId ?? null,
              jobStatus: isPull ? PULLED[wish.wanted] : (look.job?.status ?? 'missing'),
              incident: verdict.incident,
              cause: verdict.cause,
              action: verdict.action,
              applied: look.applied,
              ...judgeLag(look.lagMs),
              deadLetters: look.deadLetters,
              trouble: null,
            };
          } catch (error) {
            signal.throwIfAborted();
            const type = unavailable(error);
            if (type === null) throw error;
            // A target that is away is why the checkpoint grows old: that is told by the source alone.
            if (type === 'Target.Unavailable' && view !== NOTHING_SEEN) {
              const lagMs = await sides.lagOf(parseHlc(view.applied));
              if (lagMs !== null) view = { ...view, ...judgeLag(lagMs) };
            }
            await sides.close();
            failingSince ??= performance.now();
            if (performance.now() - failingSince > TROUBLE_AFTER_MS)
              view = { ...view, trouble: { type, cause: translate(error).message } };
          }
          context.heartbeat(view);
          const seen = view !== NOTHING_SEEN;
          if (seen && (viewChanged(wish.known, view) || performance.now() - started > wish.atMostMs)) return view;
          await pause(wish.everyMs, signal);
        }
      } finally {
        await sides.close();
      }
    },

    /** Fresh figures for the update `inspect`. */
    async inspect({ place, stream }: { place: Place; stream: string }): Promise<Inspection> {
      return withSource(access, place, async (source) => {
        const jobs = await listStreamJobs(source, stream);
        const [row, deadLetters] = await withStore(access, place, async (store) => [
          await store.read(stream),
          await store.countDeadLetters(stream),
        ]);
        const now = await captureCursor(source);
        return {
          jobs: jobs.map((job) => ({
            jobId: job.jobId,
            status: job.status,
            incarnation: job.incarnation,
            runningStatus: job.runningStatus,
            highWater: job.highWater === null ? null : formatHlc(job.highWater),
          })),
          applied: row === null ? null : formatHlc(row.applied),
          incarnation: row?.incarnation ?? null,
          lagMs: row === null ? null : hlcToMillis(now) - hlcToMillis(row.applied),
          deadLetters,
          asOf: formatHlc(now),
        };
      });
    },
  });
}

export interface Inspection {
  readonly jobs: readonly {
    readonly jobId: string;
    readonly status: string;
    readonly incarnation: number | null;
    readonly runningStatus: string;
    readonly highWater: string | null;
  }[];
  readonly applied: string | null;
  readonly incarnation: number | null;
  readonly lagMs: number | null;
  /** Changes that the target refused and that wait. */
  readonly deadLetters: DeadLetters;
  readonly asOf: string;
}

/** What stands in place of a job's status where there is no job. */
const PULLED = { running: 'reading', paused: 'paused' } as const;

const NOTHING_SEEN: StreamView = {
  jobId: null,
  jobStatus: 'unknown',
  incident: null,
  cause: '',
  action: 'none',
  applied: formatHlc(HLC_ZERO),
  lagMs: 0,
  lagging: false,
  onlyCopy: null,
  deadLetters: null,
  trouble: null,
};

interface Sides {
  readonly source: Cockroach;
  readonly target: TargetDriver;
  readonly store: CheckpointStore;
}

/** Both sides, opened when needed and again after a failure. */
function openSides(
  access: Access,
  place: Place,
): {
  source(): Promise<Cockroach>;
  store(): Promise<CheckpointStore>;
  /** The age of a checkpoint by the source's clock, in milliseconds; null: the source does not answer either. */
  lagOf(applied: Hlc): Promise<number | null>;
  close(): Promise<void>;
} {
  let source: Cockroach | null = null;
  let store: CheckpointStore | null = null;
  return {
    async source() {
      return (source ??= await access.openSource(place));
    },
    async store() {
      return (store ??= await access.target(place).openStore());
    },
    async lagOf(applied) {
      return source === null ? null : readLag(source, applied).catch(() => null);
    },
    async close() {
      const [oldSource, oldStore] = [source, store];
      source = null;
      store = null;
      await Promise.allSettled([oldSource?.close(), oldStore?.close()]);
    },
  };
}

function unavailable(error: unknown): 'Source.Unavailable' | 'Target.Unavailable' | null {
  const { type } = translate(error);
  return type === 'Source.Unavailable' || type === 'Target.Unavailable' ? type : null;
}

async function lookOnce({ source, store, target }: Sides, wish: WatchWish, signal: AbortSignal) {
  const { stream, incarnation } = wish;
  // A run that was started anew with the other intake may have left one.
  if (wish.intake === 'pull') await cancelLower(source, { stream, incarnation }, { signal });
  else await settleJobs(source, { stream, incarnation }, { signal });
  const jobs = (await listStreamJobs(source, stream)).filter((job) => job.incarnation === incarnation);
  const row = await store.read(stream);
  if (row === null)
    throw new CataloguedError('Checkpoint.Missing', `the checkpoint row of stream ${stream} is gone from the target`);
  const letters = await store.countDeadLetters(stream);
  return {
    job: theJob(jobs),
    applied: formatHlc(row.applied),
    lagMs: await readLag(source, row.applied),
    deadLetters:
      letters.count === 0
        ? null
        : { count: letters.count, cause: describeDeadLetters(letters, target.deadLetterTable) },
  };
}

/** Both timestamps are the source's: no decision rests on another clock (protocol rule 31). */
async function readLag(source: Cockroach, applied: Hlc): Promise<number> {
  return Math.max(0, hlcToMillis(await captureCursor(source)) - hlcToMillis(applied));
}

/** Where the job sends to, if that is not the receiver. */
function elsewhere(job: ChangefeedJob | null, receiverUrl: string): string | null {
  if (!job?.sink || sendsTo(job.sink, receiverAddress(receiverUrl))) return null;
  return `${job.sink.host}:${job.sink.port}`;
}

/** The job that counts: a live one before an ended one, the newest of those. */
function theJob(jobs: readonly ChangefeedJob[]): ChangefeedJob | null {
  return jobs.find((job) => LIFE_OF_STATUS[job.status] !== 'ended') ?? jobs.at(-1) ?? null;
}
