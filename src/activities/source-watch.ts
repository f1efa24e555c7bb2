import type { Bell } from '../apply/bell.js';
import { searchOtherKey, type KeysAt, type SourceCheck } from '../apply/source-check.js';
import type { Cockroach } from '../cockroach/client.js';
import { captureCursor } from '../cockroach/clock.js';
import { CockroachError } from '../cockroach/errors.js';
import { readKeysAt, readOrigin } from '../cockroach/identity.js';
import type { Hlc } from '../domain/hlc.js';
import type { Place } from '../domain/place.js';
import {
  findKeyChange,
  findOriginChange,
  keysFingerprint,
  SourceChangedError,
  type SourceOrigin,
} from '../domain/source-identity.js';
import type { StreamPlan } from '../domain/table.js';
import { withStore, type Access } from './access.js';
import { pause } from './pause.js';

const LOOK_EVERY_MS = 5_000;
/** A question to the source may take so long; the windows wait for it. */
const ANSWER_WITHIN_MS = 5_000;

/** Watches for an attempt whether the source is still what the stream began with. */
export interface SourceWatch extends SourceCheck {
  /** Looks at once: an attempt begins nothing on a source that has changed. Resolves when that is known, or cannot be known. */
  begin(): Promise<SourceChangedError | null>;
  /** Looks again at once; null: it is the same, or cannot be asked. */
  readonly look: () => Promise<SourceChangedError | null>;
}

/**
 * Looks from time to time until the signal aborts. It is the attempt that looks, and not the workflow's watch: the attempt applies while
 * Temporal is away, too. While the source cannot be asked the windows go on (protocol rule 8).
 */
export function watchSource(options: {
  readonly access: Access;
  readonly place: Place;
  readonly stream: string;
  readonly plan: StreamPlan;
  readonly bell: Bell;
  readonly signal: AbortSignal;
  readonly log: (message: string) => void;
}): SourceWatch {
  const { access, place, stream, plan, bell, signal, log } = options;
  const tableIds = plan.map((table) => table.sourceId);
  let source: Promise<Cockroach> | null = null;
  let began: SourceOrigin | null = null;
  let changed: SourceChangedError | null = null;
  /** The source could not be asked: the windows go on until a look succeeds, and do not wait for it again and again. */
  let silent = false;
  const within = { timeoutMs: ANSWER_WITHIN_MS, signal };
  /** Up to `at` the keys are known to be right. */
  let right: { readonly at: Hlc; readonly fingerprint: string } | null = null;

  /** A session connects again by itself; only one that was never there is opened anew. */
  async function open(): Promise<Cockroach> {
    const opening = (source ??= access.openSource(place));
    try {
      return await opening;
    } catch (error) {
      if (source === opening) source = null;
      throw error;
    }
  }
  const close = async (): Promise<void> => (await source?.catch(() => null))?.close();
  signal.addEventListener('abort', () => void close());

  /** Null: the source cannot be asked. A connection that has rested may have been cut on the way: it is tried twice. */
  async function ask<T>(question: (source: Cockroach) => Promise<T>): Promise<T | null> {
    for (let failures = 0; ; failures += 1) {
      try {
        const answer = await question(await open());
        silent = false;
        return answer;
      } catch (error) {
        if (signal.aborted) return null;
        if (failures === 0 && !silent && error instanceof CockroachError && error.retryable) continue;
        if (!silent) log(`stream ${stream}: the source cannot be asked for its tables: ${wordsOf(error)}`);
        silent = true;
        return null;
      }
    }
  }

  /** What the row keeps does not change: it is read once, as soon as the target answers. */
  async function readBegan(): Promise<void> {
    if (began !== null) return;
    try {
      began = await withStore(access, place, async (store) => (await store.read(stream))?.origin ?? null);
    } catch (error) {
      log(`stream ${stream}: cannot read with which source it began: ${wordsOf(error)}`);
    }
  }

  const timestamp = (cockroach: Cockroach): Promise<Hlc> =>
    captureCursor(cockroach, AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]));

  async function keysAt(cockroach: Cockroach, at: Hlc): Promise<KeysAt> {
    const found = await readKeysAt(cockroach, tableIds, at, within);
    const change = findKeyChange(plan, found);
    return {
      fingerprint: keysFingerprint(plan, found),
      change: change === null ? null : new SourceChangedError('Source.KeyChanged', change),
    };
  }

  async function lookAt(cockroach: Cockroach): Promise<SourceChangedError | null> {
    if (began !== null) {
      const names = plan.map((table) => table.source);
      const other = findOriginChange(began, await readOrigin(cockroach, names, within));
      if (other !== null) return new SourceChangedError('Source.TableChanged', other);
    }
    return (await keysAt(cockroach, await timestamp(cockroach))).change;
  }

  async function watch(): Promise<void> {
    while (!signal.aborted) {
      await pause(LOOK_EVERY_MS, signal);
      await look();
    }
  }

  async function look(): Promise<SourceChangedError | null> {
    await readBegan();
    const found = await ask(async (cockroach) => ({ change: await lookAt(cockroach) }));
    if (found === null) return null;
    changed = found.change;
    if (changed !== null) bell.ring();
    return changed;
  }

  return {
    changed: () => changed,
    look,
    async begin() {
      const found = await look();
      if (found === null) watch().catch(() => undefined);
      return found;
    },
    async firstOtherKey(at) {
      const last = at.at(-1);
      if (last === undefined || (right !== null && last <= right.at)) return null;
      if (silent) return null;
      const answer = await ask(async (cockroach) => {
        const seen = new Map<Hlc, KeysAt>();
        const read = async (when: Hlc): Promise<KeysAt> => {
          const known = seen.get(when) ?? (await keysAt(cockroach, when));
          seen.set(when, known);
          return known;
        };
        // Most often nothing was altered up to now, and the windows of some seconds need not ask again.
        const now = await timestamp(cockroach);
        if (right !== null && (await read(now)).fingerprint === right.fingerprint) {
          right = { at: now, fingerprint: right.fingerprint };
          return { other: null };
        }
        const other = await searchOtherKey(at, right?.fingerprint ?? null, read);
        if (other === null) right = { at: last, fingerprint: (await read(last)).fingerprint };
        return { other };
      });
      return answer?.other ?? null;
    },
  };
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
