import type { PreflightFacts } from '../activities/preflight.js';
import type { Place } from '../domain/place.js';
import type { RunbookInput } from '../domain/runbook-input.js';
import type { Compensation } from './compensation.js';
import type { Desk } from './desk.js';
import { insist } from './insist.js';

/** What every phase works with. */
export interface Runbook {
  /** The workflow id: name of the run, and of its stream. */
  readonly run: string;
  readonly input: RunbookInput;
  readonly desk: Desk;
  readonly undo: Compensation;
  /** C as it was when the run's rows were removed from the target, after the stream had ended; null: not known. */
  appliedAtEnd: string | null;
  /** Dead letters that the run has left on the target, and what to do with them; null: none. */
  deadLettersLeft: string | null;
  /** Of the wishes for a replay, how many have been passed on. */
  replaysAsked: number;
}

/** What preflight has found and later phases need. */
export type Facts = PreflightFacts;

/** Whether the stream reads its changefeed itself. A run of an earlier release does not. */
export function isPull({ input }: { readonly input: RunbookInput }): boolean {
  return input.intake === 'pull';
}

export function placeOf({ run, input }: Pick<Runbook, 'run' | 'input'>): Place {
  return {
    run,
    source: input.source,
    target: input.target,
    checkpointSchema: input.checkpointSchema,
    statementTimeoutMs: input.limits.statement,
  };
}

/** One step of a phase: tried until it succeeds, with an incident that says why not yet; a refusal ends the run, and what was done is undone. */
export async function step<T>({ desk }: Pick<Runbook, 'desk'>, work: () => Promise<T>): Promise<T> {
  return insist(
    { incident: (word) => desk.incident(word), resumes: () => desk.wishes.resumes, refused: 'throw' },
    work,
  );
}
