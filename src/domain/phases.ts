/** The phases of the runbook, in order; `paused` is a rest inside `replicate`. */
export const PHASES = [
  'preflight',
  'drain',
  'prepare',
  'cursor',
  'receiver',
  'changefeed',
  'replicate',
  'paused',
  'finish',
  'rollback',
  'ended',
] as const;
export type Phase = (typeof PHASES)[number];
