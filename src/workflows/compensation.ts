import { ActivityFailure, ApplicationFailure, CancellationScope } from '@temporalio/workflow';
import { isFailureType, type FailureType } from '../domain/failures.js';

/** What was undone, and what a person has to do instead. */
export interface UndoReport {
  readonly done: readonly string[];
  readonly remains: readonly string[];
}

/** One undo: says what it has done, or null when there was nothing to do. */
export type Undo = () => Promise<string | null>;

export interface Compensation {
  /**
   * Registers the undo of a step, before the step acts.
   * @param byHand what a person has to do should the undo fail
   */
  before(name: string, byHand: string, undo: Undo): void;
  /** Runs every undo, last first, each attempted even when one before it failed. Never throws; not cancelled by a cancelled run. */
  undoAll(): Promise<UndoReport>;
}

export function createCompensation(): Compensation {
  const registered: { readonly name: string; readonly byHand: string; readonly undo: Undo }[] = [];
  return {
    before(name, byHand, undo) {
      registered.push({ name, byHand, undo });
    },
    async undoAll() {
      const done: string[] = [];
      const remains: string[] = [];
      await CancellationScope.nonCancellable(async () => {
        for (let step = registered.pop(); step !== undefined; step = registered.pop()) {
          try {
            const said = await step.undo();
            if (said !== null) done.push(said);
          } catch (error) {
            remains.push(`${step.name} failed (${reasonOf(error)}): ${step.byHand}`);
          }
        }
      });
      return { done, remains };
    },
  };
}

/** The words of the innermost failure: what an activity said, not that an activity failed. */
export function reasonOf(error: unknown): string {
  if (error instanceof ActivityFailure && error.cause) return reasonOf(error.cause);
  return error instanceof Error ? error.message : String(error);
}

/** The catalogue's type of a failure; null for one that is not in it. */
export function failureTypeOf(error: unknown): FailureType | null {
  if (error instanceof ActivityFailure && error.cause) return failureTypeOf(error.cause);
  const type = error instanceof ApplicationFailure ? error.type : null;
  return type && isFailureType(type) ? type : null;
}
