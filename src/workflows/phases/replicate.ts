import {
  CancellationScope,
  condition,
  getExternalWorkflowHandle,
  startChild,
  WorkflowIdReusePolicy,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { NOTHING_CARRIED } from '../../domain/stream-args.js';
import { boundedActivities, undoActivities } from '../activity-proxies.js';
import { streamPauseSignal, streamResumeSignal } from '../messages.js';
import { isPull, placeOf, step, type Facts, type Runbook } from '../runbook.js';
import { stream } from '../stream.js';

/** The running stream, as its run holds it. */
export interface StreamHandle {
  readonly child: ChildWorkflowHandle<typeof stream>;
  /** Cancels it and waits until its activity has ended. */
  end(): Promise<void>;
}

/** Starts the stream, and waits until its receiver listens, its changefeed exists and delivery is proven. */
export async function startStream(runbook: Runbook, facts: Facts): Promise<StreamHandle> {
  const { run, input, desk, undo } = runbook;
  desk.enter('receiver');
  let started: StreamHandle | null = null;
  undo.before(
    'cancelling the changefeed',
    `CANCEL JOB for every job whose sink URL has failback_stream=${run}`,
    async () => {
      // The feed of `pull` ends with the attempt, and so with the stream: only what an earlier start left as a job is there to cancel.
      return undoActivities('cancel every changefeed job of the stream').cancelChangefeeds({
        place: placeOf(runbook),
        stream: run,
        settleMs: input.limits.createChangefeed,
      });
    },
  );
  undo.before('ending the receiver', 'none: it ends by itself once its workflow is gone', async () => {
    if (started === null) return null;
    await started.end();
    return isPull(runbook) ? 'the reading of the changefeed has ended' : 'the receiver has ended';
  });
  const workflowId = `${run}/stream`;
  // Terminate of the run must end the stream with it: an attempt whose workflow is gone ends by itself (protocol rule 39).
  const child = await CancellationScope.nonCancellable(() =>
    startChild(stream, {
      workflowId,
      // Reset leaves the stream of the run before it without an owner: the new one ends it (protocol rules 38 and 39).
      workflowIdReusePolicy: WorkflowIdReusePolicy.TERMINATE_IF_RUNNING,
      args: [
        {
          run,
          input,
          plan: facts.plan,
          sinkPath: facts.sinkPath,
          enforcementOff: facts.enforcementOff,
          carried: NOTHING_CARRIED,
        },
      ],
    }),
  );
  // By its id alone: the cancellation of a child names the run that was started, which is long over once the stream has continued as new.
  let cancelling: Promise<void> | null = null;
  const cancel = (): Promise<void> =>
    (cancelling ??= CancellationScope.nonCancellable(() => getExternalWorkflowHandle(workflowId).cancel()).catch(
      () => undefined,
    ));
  CancellationScope.current().cancelRequested.catch(cancel);
  started = {
    child,
    async end() {
      await cancel();
      await child.result().catch(() => undefined);
    },
  };
  await condition(() => desk.status.stream?.reached === true);
  desk.enter('changefeed');
  await condition(() => desk.status.stream?.delivered !== null && desk.status.stream !== null);
  return started;
}

/** Replicates until a person asks for the finish; carries out pause, resume and replay meanwhile. */
export async function replicate(runbook: Runbook, { child }: StreamHandle): Promise<void> {
  const { desk } = runbook;
  desk.enter('replicate');
  let resumesSeen = desk.wishes.resumes;
  for (;;) {
    const paused = desk.status.phase === 'paused';
    await condition(
      () =>
        desk.wishes.finish ||
        desk.wishes.paused !== paused ||
        desk.wishes.resumes !== resumesSeen ||
        desk.wishes.replays !== runbook.replaysAsked,
    );
    if (desk.wishes.paused && !paused) {
      await child.signal(streamPauseSignal);
      desk.enter('paused');
    } else if (desk.wishes.resumes !== resumesSeen) {
      resumesSeen = desk.wishes.resumes;
      await child.signal(streamResumeSignal);
      desk.enter('replicate');
    }
    if (desk.wishes.replays !== runbook.replaysAsked) {
      runbook.replaysAsked = desk.wishes.replays;
      await step(runbook, () =>
        boundedActivities('ask for dead letters to be tried again').askReplay({ place: placeOf(runbook) }),
      );
    }
    if (desk.wishes.finish) {
      desk.wishes.finish = false;
      return;
    }
  }
}
