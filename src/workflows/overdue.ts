import { CancellationScope, isCancellation, sleep } from '@temporalio/workflow';

/** Does the work; when it takes longer than `limitMs`, says so once and goes on waiting. */
export async function overdue<T>(limitMs: number, onOverdue: () => void, work: () => Promise<T>): Promise<T> {
  const timer = new CancellationScope();
  const ticking = timer
    .run(async () => {
      await sleep(limitMs);
      onOverdue();
    })
    .catch((error: unknown) => {
      if (!isCancellation(error)) throw error;
    });
  try {
    return await work();
  } finally {
    timer.cancel();
    await CancellationScope.nonCancellable(() => ticking);
  }
}
