import { Context } from '@temporalio/activity';
import { DRAIN_UNKNOWN, observeDrain, readForward, type ForwardReading } from '../domain/drain.js';
import { parsePrometheusText } from '../domain/prometheus.js';
import { CataloguedError, translated } from './failure-translation.js';
import { pause } from './pause.js';

export interface ForwardDeps {
  /** The metrics URL behind a connection name. @throws UnknownConnectionError */
  metricsUrl(forward: string): string;
  /** Runs the configured command that stops the replicator; null: there is none. */
  stop(forward: string, signal: AbortSignal): Promise<{ readonly exitCode: number } | null>;
  /** Milliseconds of a clock that never goes back. */
  monotonicMs(): number;
}

export interface DrainEvidence {
  readonly looks: number;
  readonly quietForMs: number;
  /** Rows applied in all schemas when it went quiet. */
  readonly applied: number;
  readonly bySchema: Readonly<Record<string, number>>;
  readonly sourceLagMs: number | null;
}

const FETCH_TIMEOUT_MS = 5_000;

/** Activities about the forward replicator: drained, stopped, gone. */
export function createForwardActivities(deps: ForwardDeps) {
  return translated({
    /** Returns once the replicator has been quiet in every schema for the whole time. Heartbeats tell why not yet. */
    async awaitForwardDrained(wanted: {
      forward: string;
      quietForMs: number;
      maxSourceLagMs: number;
      pollEveryMs: number;
    }): Promise<DrainEvidence> {
      const context = Context.current();
      const url = deps.metricsUrl(wanted.forward);
      let state = DRAIN_UNKNOWN;
      for (let looks = 1; ; looks += 1) {
        const reading = await look(url, context.cancellationSignal);
        const seen = observeDrain(state, reading, deps.monotonicMs(), wanted);
        state = seen.state;
        if (seen.verdict.drained && reading) {
          const bySchema = reading.appliedBySchema;
          const applied = Object.values(bySchema).reduce((sum, rows) => sum + rows, 0);
          return { looks, quietForMs: seen.verdict.quietForMs, applied, bySchema, sourceLagMs: reading.sourceLagMs };
        }
        context.heartbeat({ looks, waiting: seen.verdict.drained ? '' : seen.verdict.why });
        await pause(wanted.pollEveryMs, context.cancellationSignal);
      }
    },

    /** Stops it by the host's command (SIGTERM, exit 0 expected). */
    async stopForward({ forward }: { forward: string }): Promise<{ exitCode: number }> {
      const stopped = await deps.stop(forward, Context.current().cancellationSignal);
      if (stopped === null) {
        throw new CataloguedError(
          'Forward.StopFailed',
          `this worker has no command that stops "${forward}": set FAILBACK_STOP_${forward.toUpperCase().replaceAll('-', '_')}, or let a person stop it`,
        );
      }
      if (stopped.exitCode !== 0)
        throw new CataloguedError(
          'Forward.StopFailed',
          `the command that stops "${forward}" ended with exit code ${stopped.exitCode}, expected 0`,
        );
      return stopped;
    },

    /** Returns once nothing answers at its metrics endpoint any more. */
    async awaitForwardGone({
      forward,
      pollEveryMs,
    }: {
      forward: string;
      pollEveryMs: number;
    }): Promise<{ evidence: string }> {
      const context = Context.current();
      const url = deps.metricsUrl(forward);
      for (;;) {
        const answer = await knock(url, context.cancellationSignal);
        if (answer !== null) return { evidence: `its endpoint is gone (${answer})` };
        context.heartbeat({ waiting: 'its endpoint still answers' });
        await pause(pollEveryMs, context.cancellationSignal);
      }
    },
  });
}

async function look(url: string, signal: AbortSignal): Promise<ForwardReading | null> {
  try {
    const response = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]),
      redirect: 'error',
    });
    return response.ok ? readForward(parsePrometheusText(await response.text())) : null;
  } catch {
    signal.throwIfAborted();
    return null;
  }
}

/** Only a refused connection means gone; a time-out or a broken answer may be a cut cable. Null: it may still be there. */
async function knock(url: string, signal: AbortSignal): Promise<string | null> {
  try {
    await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(FETCH_TIMEOUT_MS)]), redirect: 'manual' });
    return null;
  } catch (error) {
    signal.throwIfAborted();
    const cause = error instanceof Error ? (error.cause as { code?: unknown } | undefined) : undefined;
    return cause?.code === 'ECONNREFUSED' ? 'connection refused' : null;
  }
}
