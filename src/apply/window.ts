import { minHlc, type Hlc } from '../domain/hlc.js';
import type { StageBinding } from '../staging/stage.js';

/**
 * What the apply loop may do next.
 * - `incomplete`: the stage cannot prove that it has everything after the checkpoint.
 * - `stopped`: the checkpoint is where it was to stop, or beyond.
 * - `idle`: nothing is resolved beyond the checkpoint.
 * - `window`: (applied, upTo] may be read and applied; it ends exactly at `upTo` when `last`.
 */
export type NextWindow =
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'idle' }
  | { readonly kind: 'window'; readonly upTo: Hlc; readonly last: boolean };

/** Where the stream has to stop exactly; null: nowhere; `unknown`: the row has not been read yet, and T must not be passed. */
export type StopAt = Hlc | null | 'unknown';

/** Protocol rule B: (c, r] may be applied only from the bound incarnation, and only if floor <= c and r <= resolved. */
export function planWindow(
  binding: StageBinding | null,
  incarnation: number,
  applied: Hlc,
  stopAt: StopAt,
): NextWindow {
  if (binding === null || binding.incarnation !== incarnation || binding.floor > applied) return { kind: 'incomplete' };
  if (stopAt === 'unknown') return { kind: 'idle' };
  if (stopAt !== null && applied >= stopAt) return { kind: 'stopped' };
  if (binding.resolved <= applied) return { kind: 'idle' };
  const upTo = stopAt === null ? binding.resolved : minHlc(stopAt, binding.resolved);
  return { kind: 'window', upTo, last: upTo === stopAt };
}
