import { StaleIncarnationError, type StageBinding } from './stage.js';

/**
 * Protocol rule A, for every kind of stage.
 * @throws StaleIncarnationError
 */
export function requireBound(bound: StageBinding | null, incarnation: number): StageBinding {
  if (bound?.incarnation !== incarnation) throw new StaleIncarnationError(incarnation, bound?.incarnation ?? null);
  return bound;
}
