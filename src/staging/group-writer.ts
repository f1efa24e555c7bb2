/** One write of one caller. `plan` runs in turn, then everything planned is committed at once, then the promise settles. */
export interface Job {
  /** Rows that the job writes: a group is closed when it has enough. */
  readonly rows: number;
  /** Must have a transaction of its own (it empties or deletes ranges). */
  readonly alone: boolean;
  readonly settle: (error: unknown) => void;
}

/** A store keeps a transaction's rows in memory until it commits; more of them gain nothing. */
const GROUP_ROWS = 20_000;

/**
 * Commits jobs in the order of their arrival, one transaction at a time: what arrives while one is being flushed makes up the
 * next, so that any number of concurrent requests share a flush (invariant 1).
 */
export function createGroupWriter<J extends Job>(
  commit: (group: readonly J[]) => Promise<void>,
  groupRows = GROUP_ROWS,
) {
  let waiting: J[] = [];
  let running: Promise<void> | null = null;

  async function run(): Promise<void> {
    // A turn of the event loop, so that bodies read in the same turn begin as one group.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const group = takeGroup();
      let error: unknown = null;
      try {
        await commit(group);
      } catch (failure) {
        error = failure;
      }
      for (const job of group) job.settle(error);
    }
    running = null;
  }

  function takeGroup(): J[] {
    let rows = 0;
    let size = 0;
    for (const job of waiting) {
      if (size > 0 && (job.alone || rows + job.rows > groupRows)) break;
      rows += job.rows;
      size++;
      if (job.alone) break;
    }
    const group = waiting.slice(0, size);
    waiting = waiting.slice(size);
    return group;
  }

  return {
    add(job: J): void {
      waiting.push(job);
      running ??= run();
    },
    async idle(): Promise<void> {
      while (running) await running;
    },
  };
}
