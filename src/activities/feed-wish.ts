/** Whether a changefeed is wanted, as the checkpoint row last said; not known before it was first read. */
export interface FeedWish {
  set(wanted: boolean): void;
  /** Resolves once the answer is `wanted`; rejects with the signal's reason when it aborts. */
  until(wanted: boolean, signal: AbortSignal): Promise<void>;
}

export function createFeedWish(): FeedWish {
  let known: boolean | null = null;
  const waiting = new Set<() => void>();
  return {
    set(wanted) {
      known = wanted;
      for (const look of waiting) look();
    },
    until(wanted, signal) {
      return new Promise((resolve, reject) => {
        const done = (): void => {
          waiting.delete(look);
          signal.removeEventListener('abort', look);
        };
        const look = (): void => {
          if (signal.aborted) {
            done();
            reject(signal.reason as Error);
          } else if (known === wanted) {
            done();
            resolve();
          }
        };
        waiting.add(look);
        signal.addEventListener('abort', look);
        look();
      });
    },
  };
}
