import { Context } from '@temporalio/activity';
import { captureCursor } from '../cockroach/clock.js';
import { describeDeadLetters } from '../domain/dead-letters.js';
import { formatHlc, parseHlc } from '../domain/hlc.js';
import type { Place } from '../domain/place.js';
import type { StreamPlan } from '../domain/table.js';
import { withSource, withStore, type Access } from './access.js';
import { CataloguedError, translated } from './failure-translation.js';
import { pause } from './pause.js';

export interface Comparison {
  readonly at: string;
  readonly tables: number;
  readonly rows: number;
  /** Keys missing, extra or different, in all tables. */
  readonly differing: number;
  /** For people: per table what differs, by key, never by value. */
  readonly summary: string;
  /** `schema.table.column` of what the target lacks and could not be compared. */
  readonly notCompared?: readonly string[];
}

export interface ComparisonDeps extends Access {
  /** Compares every row of both sides at one timestamp. */
  compare(wish: {
    place: Place;
    plan: StreamPlan;
    at: string;
    signal: AbortSignal;
    onProgress: (rows: number) => void;
  }): Promise<Comparison>;
}

export interface HoldAnswer {
  /** False: the time was up. */
  readonly held: boolean;
  readonly applied: string;
  readonly newerChanges: number;
}

const LOOK_EVERY_MS = 250;
const BEAT_EVERY_MS = 2_000;

/** Activities of the phase finish (protocol rule 32). */
export function createFinishActivities(deps: ComparisonDeps) {
  return translated({
    /** Takes T from the source and has the target stop exactly there. A T that the target has passed meanwhile is taken anew. */
    async stopNow({ place }: { place: Place }): Promise<{ at: string; tries: number }> {
      const signal = Context.current().cancellationSignal;
      return withSource(deps, place, (source) =>
        withStore(deps, place, async (store) => {
          for (let tries = 1; ; tries += 1) {
            const at = await captureCursor(source, signal);
            if (await store.setStopAt(place.run, at)) return { at: formatHlc(at), tries };
            if ((await store.read(place.run)) === null)
              throw new CataloguedError('Checkpoint.Missing', `the checkpoint row of stream ${place.run} is gone`);
          }
        }),
      );
    },

    /** Has the stream try its dead letters again, now or once it applies. Returns how many wait. */
    async askReplay({ place }: { place: Place }): Promise<{ readonly asked: number }> {
      return { asked: await withStore(deps, place, (store) => store.askReplay(place.run)) };
    },

    /** Lets the target go on. */
    async clearStop({ place }: { place: Place }): Promise<Record<string, never>> {
      await withStore(deps, place, (store) => store.setStopAt(place.run, null));
      return {};
    },

    /** Waits until the target rests exactly at `at`, and the stage has seen everything up to `seenUpTo`. */
    async awaitHeld(wish: { place: Place; at: string; seenUpTo: string; limitMs: number }): Promise<HoldAnswer> {
      const context = Context.current();
      const signal = context.cancellationSignal;
      const [at, seenUpTo] = [parseHlc(wish.at), parseHlc(wish.seenUpTo)];
      const until = performance.now() + wish.limitMs;
      return withStore(deps, wish.place, async (store) => {
        for (;;) {
          const row = await store.readHold(wish.place.run);
          if (row === null)
            throw new CataloguedError('Checkpoint.Missing', `the checkpoint row of stream ${wish.place.run} is gone`);
          const answer = { applied: formatHlc(row.applied), newerChanges: row.hold?.newerChanges ?? 0 };
          if (row.applied === at && row.hold?.at === at && row.hold.seenUpTo >= seenUpTo)
            return { held: true, ...answer };
          if (performance.now() > until) return { held: false, ...answer };
          context.heartbeat({ applied: answer.applied, waiting: `for ${wish.seenUpTo}` });
          await pause(LOOK_EVERY_MS, signal);
        }
      });
    },

    async compareRows({ place, plan, at }: { place: Place; plan: StreamPlan; at: string }): Promise<Comparison> {
      const context = Context.current();
      let rows = 0;
      // Counting a large table takes longer than a page, and longer than the time after which the worker is missed.
      const timer = setInterval(() => context.heartbeat({ rows }), BEAT_EVERY_MS);
      try {
        const compared = await deps.compare({
          place,
          plan,
          at,
          signal: context.cancellationSignal,
          onProgress: (done) => void (rows = done),
        });
        if (compared.differing === 0) return compared;
        const letters = await withStore(deps, place, (store) => store.countDeadLetters(place.run));
        if (letters.count === 0) return compared;
        const why = `${describeDeadLetters(letters, deps.target(place).deadLetterTable)}: mend the target, signal replayDeadLetters, and finish again`;
        return { ...compared, summary: `${compared.summary}. ${why}` };
      } finally {
        clearInterval(timer);
      }
    },

    /** Sets sequences and identity columns beyond the rows, without which the application's first insert collides. */
    async alignSequences({
      place,
      plan,
    }: {
      place: Place;
      plan: StreamPlan;
    }): Promise<{ done: readonly string[]; remains: readonly string[] }> {
      return deps.target(place).alignSequences(plan.map((table) => table.target));
    },
  });
}
