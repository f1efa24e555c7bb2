import { Context } from '@temporalio/activity';

const BEAT_EVERY_MS = 2_000;

/**
 * Lets Temporal know that the worker of a short activity still lives, so that its death is noticed within the heartbeat timeout and not at the
 * end of the time that the activity may take. Those named in `except` heartbeat by themselves, with details that a bare heartbeat would erase.
 */
export function keptAlive<T extends Record<string, (argument: never) => Promise<unknown>>>(
  group: T,
  except: readonly (keyof T)[] = [],
): T {
  return Object.fromEntries(
    Object.entries(group).map(([name, activity]) => [
      name,
      except.includes(name)
        ? activity
        : async (argument: never): Promise<unknown> => {
            const context = Context.current();
            const timer = setInterval(() => context.heartbeat(), BEAT_EVERY_MS);
            try {
              return await activity(argument);
            } finally {
              clearInterval(timer);
            }
          },
    ]),
  ) as T;
}

/**
 * Aborts when the worker stops, and not when the run is cancelled: a cancelled run waits for the end of such a step, which then leaves nothing
 * of unknown outcome behind.
 */
export function shutdownSignal(context: Context): AbortSignal {
  const { cancellationSignal } = context;
  const stop = new AbortController();
  const onAbort = (): void => {
    if (context.cancellationDetails?.workerShutdown) stop.abort(cancellationSignal.reason);
  };
  if (cancellationSignal.aborted) onAbort();
  else cancellationSignal.addEventListener('abort', onAbort, { once: true });
  return stop.signal;
}
