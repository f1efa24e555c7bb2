import { CancellationScope, sleep } from '@temporalio/workflow';

export interface HistoryKeeping {
  /** Milliseconds until it is protected for the first time, and between two protections. */
  readonly firstInMs: number;
  readonly everyMs: number;
  /** Protects history anew, from the checkpoint on, before the protection that stands expires. */
  readonly protect: () => Promise<void>;
}

/**
 * Does the work while history is protected again and again (protocol rule 4), whatever the work waits for: a person, a database that is away.
 * What fails for good ends both.
 */
export async function whileHistoryIsKept<T>(keeping: HistoryKeeping, work: () => Promise<T>): Promise<T> {
  const both = new CancellationScope();
  return both.run(async () => {
    const kept = keepHistory(keeping);
    const working = work();
    try {
      return await Promise.race([working, kept]);
    } finally {
      both.cancel();
      // An undo must not race with a protection that is being made.
      await CancellationScope.nonCancellable(() => Promise.allSettled([working, kept]));
    }
  });
}

async function keepHistory({ firstInMs, everyMs, protect }: HistoryKeeping): Promise<never> {
  for (let waitMs = firstInMs; ; waitMs = everyMs) {
    await sleep(waitMs);
    await protect();
  }
}
