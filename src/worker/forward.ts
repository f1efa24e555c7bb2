import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { ForwardDeps } from '../activities/forward.js';

/** How this host reaches and stops the forward replicators that inputs name. */
export function createForward(
  connect: (name: string) => string,
  stopCommands: ReadonlyMap<string, string>,
): ForwardDeps {
  return {
    metricsUrl: connect,
    async stop(forward, signal) {
      const command = stopCommands.get(forward);
      if (command === undefined) return null;
      // The host's owner wrote the command; no part of an input reaches it.
      const child = spawn('/bin/sh', ['-c', command], { stdio: 'ignore', signal });
      const [exitCode] = (await once(child, 'exit')) as [number | null];
      return { exitCode: exitCode ?? -1 };
    },
    monotonicMs: () => performance.now(),
  };
}
