import { readHlc } from '../domain/hlc.js';
import type { IncomingMutation } from '../domain/mutation.js';
import { createGroupWriter, type Job } from '../staging/group-writer.js';
import {
  FenceLostError,
  SchemaMismatchError,
  TargetRefusedError,
  TargetUnavailableError,
} from '../targets/failures.js';
import type { AppliedAtOnce, ApplyMutation, ApplySession } from '../targets/target.js';
import type { SourceCheck } from './source-check.js';

export interface AtOnceOptions {
  readonly stream: string;
  /** Of the attempt; fences every transaction (protocol rule C). */
  readonly token: string;
  /** The session is this writer's own. */
  readonly openSession: () => Promise<ApplySession>;
  readonly source: SourceCheck;
  /** Longest wait of a body, in milliseconds: what is staged is safe, and CockroachDB must not give up on us. */
  readonly waitMs: number;
  /** After the target has failed or refused, bodies do not wait for it for so long, in milliseconds. */
  readonly restMs: number;
  readonly log: (message: string) => void;
}

/**
 * Immediate mode (protocol rule 27): applies changes that are staged, before they are acknowledged. Whatever keeps one from it, the apply loop,
 * which goes over all that is staged, applies it when it is resolved.
 */
export interface AtOnce {
  /** Resolves when the rows are applied or left to the loop. */
  apply(rows: readonly IncomingMutation[]): Promise<void>;
  /** Everything is left to the loop for a while: it has to come up with what was applied. */
  rest(resting: boolean): void;
  /** Totals since it was made. */
  figures(): AppliedAtOnce;
  close(): Promise<void>;
}

/** Rows of one transaction. Windows wait for its lock, so it is short. */
const GROUP_ROWS = 2_000;

interface Body extends Job {
  /** Null: it was not waited for any longer. */
  changes: readonly ApplyMutation[] | null;
}

export function createAtOnce(options: AtOnceOptions): AtOnce {
  const { stream, token, openSession, source, waitMs, restMs, log } = options;
  let session: ApplySession | null = null;
  let total: AppliedAtOnce = { upserts: 0, deletes: 0, left: 0 };
  let resting = false;
  let closed = false;
  let quietUntil = -Infinity;

  const count = ({ upserts, deletes, left }: AppliedAtOnce): void => {
    total = { upserts: total.upserts + upserts, deletes: total.deletes + deletes, left: total.left + left };
  };

  const isQuiet = (): boolean => closed || resting || performance.now() < quietUntil || source.changed() !== null;

  /** As in a window (protocol rule 8): after ALTER PRIMARY KEY, a delete's key may mean another column. */
  const beforeOtherKey = async (changes: readonly ApplyMutation[]): Promise<readonly ApplyMutation[]> => {
    const deletes = [...new Set(changes.filter(({ after }) => after === null).map(({ at }) => at))];
    const other = deletes.length === 0 ? null : await source.firstOtherKey(deletes);
    return other === null ? changes : changes.filter(({ at }) => at < other.at);
  };

  const applyChanges = async (changes: readonly ApplyMutation[]): Promise<AppliedAtOnce> => {
    const known = await beforeOtherKey(changes);
    session ??= await openSession();
    const figures = await session.applyAtOnce(token, known);
    return { ...figures, left: figures.left + changes.length - known.length };
  };

  const endSession = async (): Promise<void> => {
    const ended = session;
    session = null;
    await ended?.close();
  };

  const writer = createGroupWriter<Body>(async (group) => {
    const changes = group
      .flatMap((body) => body.changes ?? [])
      .sort((a, b) => (a.at < b.at ? -1 : Number(a.at > b.at)));
    if (changes.length === 0) return;
    if (isQuiet()) return count({ upserts: 0, deletes: 0, left: changes.length });
    try {
      count(await applyChanges(changes));
    } catch (error) {
      if (!isLeft(error)) throw error;
      count({ upserts: 0, deletes: 0, left: changes.length });
      quietUntil = performance.now() + restMs;
      log(`stream ${stream}: nothing is applied at once for ${restMs} ms: ${error.message}`);
      await endSession();
    }
  }, GROUP_ROWS);

  return {
    apply(rows) {
      if (isQuiet()) {
        count({ upserts: 0, deletes: 0, left: rows.length });
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          body.changes = null;
          resolve();
        }, waitMs);
        const body: Body = {
          changes: rows.map((row) => ({ ...row, at: readHlc(row.at, 0) })),
          rows: rows.length,
          alone: false,
          settle(error) {
            clearTimeout(timer);
            if (error === null) resolve();
            else reject(error instanceof Error ? error : new Error('applying at once failed', { cause: error }));
          },
        };
        writer.add(body);
      });
    },
    rest(now) {
      resting = now;
    },
    figures: () => total,
    async close() {
      closed = true;
      // What is under way is cut off: it is applied with its guards, or not at all.
      await endSession();
      await writer.idle();
      await endSession();
    },
  };
}

/** The loop meets with the same, and tells of it. */
function isLeft(
  error: unknown,
): error is TargetUnavailableError | TargetRefusedError | SchemaMismatchError | FenceLostError {
  return (
    error instanceof TargetUnavailableError ||
    error instanceof TargetRefusedError ||
    error instanceof SchemaMismatchError ||
    error instanceof FenceLostError
  );
}
