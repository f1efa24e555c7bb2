import { ApplicationFailure, CancellationScope, isCancellation, setHandler, workflowInfo } from '@temporalio/workflow';
import type { RunbookInput } from '../domain/runbook-input.js';
import { parseRunbookInput } from '../domain/runbook-input.js';
import type { Ending } from '../domain/status.js';
import { boundedActivities } from './activity-proxies.js';
import { createCompensation, reasonOf } from './compensation.js';
import { openDesk } from './desk.js';
import { inspectUpdate } from './messages.js';
import { captureCursor } from './phases/cursor.js';
import { drain } from './phases/drain.js';
import { endFailed, endRolledBack } from './phases/endings.js';
import { finish } from './phases/finish.js';
import { preflightOrRefuse, runPreflight } from './phases/preflight.js';
import { prepare } from './phases/prepare.js';
import { replicate, startStream } from './phases/replicate.js';
import { placeOf, type Runbook } from './runbook.js';

/**
 * The runbook: brings every write on CockroachDB back to the original database until a person finishes it or rolls it back.
 * The workflow id is the name of the run and the name of its stream.
 */
export async function failback(raw: unknown): Promise<Ending> {
  const scope = new CancellationScope();
  const desk = openDesk(() => scope.cancel());
  const input = admitInput(raw);
  desk.admitGates(input.approvals);
  const runbook: Runbook = {
    run: workflowInfo().workflowId,
    input,
    desk,
    undo: createCompensation(),
    appliedAtEnd: null,
    deadLettersLeft: null,
    replaysAsked: 0,
  };

  setHandler(
    inspectUpdate,
    () => boundedActivities('fresh figures').inspect({ place: placeOf(runbook), stream: runbook.run }),
    { description: 'fresh figures from both databases' },
  );

  try {
    return await scope.run(async () => {
      const facts = await preflightOrRefuse(runbook);
      await drain(runbook, facts);
      await prepare(runbook, facts);
      await captureCursor(runbook, facts);
      const stream = await startStream(runbook, facts);
      for (;;) {
        await replicate(runbook, stream);
        const ending = await finish(runbook, facts);
        if (ending) return ending;
      }
    });
  } catch (error) {
    const asked = desk.wishes.rollback;
    if (asked) return endRolledBack(runbook);
    if (isCancellation(error)) {
      // Temporal's own Cancel is a rollback too; the run then ends as cancelled, and the memo tells how.
      await endRolledBack(runbook);
      throw error;
    }
    await endFailed(runbook, reasonOf(error));
    throw error;
  }
}

/** Workflow type `preflight`: the same input, every finding, and nothing touched. */
export async function preflight(
  raw: unknown,
): Promise<{ readonly findings: readonly string[]; readonly blocking: number }> {
  return runPreflight(admitInput(raw), workflowInfo().workflowId);
}

function admitInput(raw: unknown): RunbookInput {
  const parsed = parseRunbookInput(raw);
  if (parsed.ok) return parsed.input;
  const lines = parsed.problems.map((problem) => `${problem.field}: ${problem.message}`);
  throw ApplicationFailure.create({
    type: 'Input.Invalid',
    nonRetryable: true,
    message: `the input has ${lines.length === 1 ? 'a problem' : `${lines.length} problems`}; nothing was touched. ${lines.join('; ')}`,
    details: [parsed.problems],
  });
}
