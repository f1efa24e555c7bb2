/** Wakes a waiting loop. A ring while nobody waits is remembered, once. */
export interface Bell {
  ring(): void;
  /** Resolves at a ring, after `timeoutMs`, or when the signal aborts; the signal may have aborted already. */
  wait(timeoutMs: number, signal: AbortSignal): Promise<void>;
}

export function createBell(): Bell {
  let rung = false;
  let wake: (() => void) | null = null;
  return {
    ring() {
      rung = true;
      wake?.();
    },
    async wait(timeoutMs, signal) {
      if (!rung && !signal.aborted) {
        await new Promise<void>((resolve) => {
          const done = (): void => {
            clearTimeout(timer);
            signal.removeEventListener('abort', done);
            wake = null;
            resolve();
          };
          const timer = setTimeout(done, timeoutMs);
          signal.addEventListener('abort', done);
          wake = done;
        });
      }
      rung = false;
    },
  };
}
