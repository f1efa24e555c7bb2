import { condition } from '@temporalio/workflow';
import { formatDuration } from '../../domain/duration.js';
import { boundedActivities, watchingActivities } from '../activity-proxies.js';
import { reasonOf } from '../compensation.js';
import { overdue } from '../overdue.js';
import { step, type Facts, type Runbook } from '../runbook.js';
import { proveBySentinel } from './sentinel.js';

/**
 * Waits until forward replication has nothing left, then until it is stopped. Without a metrics endpoint in the input a person
 * answers for both with `forwardStopped`. A sentinel row comes before either stop: it needs forward replication.
 */
export async function drain(runbook: Runbook, facts: Facts): Promise<void> {
  const { input, desk, undo } = runbook;
  desk.enter('drain');
  const { forward, limit } = input.drain;
  if (forward === undefined) {
    const proof = await proveBySentinel(runbook, facts);
    desk.update({ waitingFor: 'forwardStopped: stop forward replication once it has drained, then send it' });
    await awaitPerson(runbook, () => desk.wishes.forwardStopped);
    desk.update({ waitingFor: null, forward: sentence('stopped, as a person said', proof) });
    return;
  }
  desk.update({ waitingFor: `forward replication to be quiet for ${formatDuration(input.drain.quietFor)}` });
  const evidence = await overdue(
    limit,
    () => desk.incident({ type: 'Drain.TooLong', open: true, cause: `not drained within ${formatDuration(limit)}` }),
    () =>
      watchingActivities('watch the forward replicator until it is quiet', input).awaitForwardDrained({
        forward,
        quietForMs: input.drain.quietFor,
        maxSourceLagMs: input.drain.maxSourceLag,
        pollEveryMs: input.drain.pollEvery,
      }),
  );
  desk.incident({ type: 'Drain.TooLong', open: false });
  const drained = `drained: ${evidence.applied} rows applied in all, quiet for ${formatDuration(evidence.quietForMs)}`;
  desk.update({ forward: drained, waitingFor: null });
  const proof = await proveBySentinel(runbook, facts);
  desk.update({ forward: sentence(drained, proof) });

  await desk.passGate('forward', input.limits.approval);
  undo.before('starting forward replication again', 'start it by hand', () =>
    Promise.resolve('forward replication was stopped: it stays stopped'),
  );
  await stopForward(runbook, forward, proof);
}

async function stopForward(runbook: Runbook, forward: string, proof: string | null): Promise<void> {
  const { input, desk } = runbook;
  if (input.drain.stoppedBy === 'worker') {
    try {
      await step(runbook, () => boundedActivities('stop the forward replicator').stopForward({ forward }));
    } catch (error) {
      desk.incident({ type: 'Forward.StopFailed', open: true, cause: reasonOf(error) });
      desk.update({ waitingFor: 'forwardStopped: stop the forward replicator by hand, then send it' });
      await condition(() => desk.wishes.forwardStopped);
      desk.incident({ type: 'Forward.StopFailed', open: false });
    }
  } else {
    desk.update({ waitingFor: 'forwardStopped: stop the forward replicator (SIGTERM), then send it' });
    await awaitPerson(runbook, () => desk.wishes.forwardStopped);
  }
  desk.update({ waitingFor: "the forward replicator's endpoint to be gone" });
  const gone = await watchingActivities('see that its endpoint is gone', input).awaitForwardGone({
    forward,
    pollEveryMs: input.drain.pollEvery,
  });
  desk.update({ waitingFor: null, forward: sentence(`drained and stopped: ${gone.evidence}`, proof) });
}

function sentence(said: string, proof: string | null): string {
  return proof === null ? said : `${said}; ${proof}`;
}

async function awaitPerson({ input, desk }: Runbook, done: () => boolean): Promise<void> {
  await overdue(
    input.limits.approval,
    () => desk.incident({ type: 'Approval.Awaited', open: true, cause: 'forwardStopped has not been sent' }),
    () => condition(done),
  );
  desk.incident({ type: 'Approval.Awaited', open: false });
}
