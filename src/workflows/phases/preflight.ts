import { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
import { isBlocking } from '../../domain/finding.js';
import type { RunbookInput } from '../../domain/runbook-input.js';
import { quickActivities } from '../activity-proxies.js';
import { placeOf, type Facts, type Runbook } from '../runbook.js';

/** Reads both sides and the receiver; refuses with every blocking finding in one message. Touches nothing, so it has no undo. */
export async function preflightOrRefuse({ run, input, desk }: Runbook): Promise<Facts> {
  desk.enter('preflight');
  const facts = await look(input, run);
  desk.knowSearchAttributes(facts.searchAttributes);
  const blocking = facts.findings.filter(isBlocking);
  if (blocking.length > 0) {
    throw ApplicationFailure.create({
      type: 'Preflight.Blocked',
      nonRetryable: true,
      message: `preflight found ${blocking.length === 1 ? 'a blocking problem' : `${blocking.length} blocking problems`}; nothing was touched. ${blocking.map((finding, index) => `(${index + 1}) ${finding.message}`).join(' ')}`,
    });
  }
  desk.update({
    warnings: facts.findings.filter((finding) => finding.severity === 'warning').map((finding) => finding.message),
  });
  return facts;
}

export async function runPreflight(
  input: RunbookInput,
  run: string,
): Promise<{ readonly findings: readonly string[]; readonly blocking: number }> {
  const facts = await look(input, run);
  return {
    findings: facts.findings.map((finding) => `${finding.severity}: ${finding.message}`),
    blocking: facts.findings.filter(isBlocking).length,
  };
}

async function look(input: RunbookInput, run: string): Promise<Facts> {
  try {
    return await quickActivities('read both sides, touch nothing').preflight({ place: placeOf({ run, input }), input });
  } catch (error) {
    // The one message, not "Activity task failed" with the message below it.
    if (error instanceof ActivityFailure && error.cause instanceof ApplicationFailure) throw error.cause;
    throw error;
  }
}
