/**
 * How much a finding weighs. `blocking`: the run refuses to start. `warning`: it may start, and a person should know.
 * `note`: a fact worth having in the history.
 */
export const SEVERITIES = ['blocking', 'warning', 'note'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What mends a finding: one statement to run as it stands, or an action in words. */
export type Remedy =
  | { readonly kind: 'statement'; readonly sql: string; readonly on: 'source' | 'target' | 'staging' }
  | { readonly kind: 'action'; readonly text: string };

/** One result of preflight. Plain data without secrets or row values: it goes into histories. */
export interface Finding {
  /** Stable and dotted, e.g. `privilege.delete`. */
  readonly id: string;
  readonly severity: Severity;
  /** What it is about, e.g. `public.orders` or `public.orders.note`. */
  readonly object: string;
  /** The value found. */
  readonly found: string;
  readonly remedy: Remedy;
  /** What is wrong, the value found and what to do next, in one line for people. */
  readonly message: string;
}

/** A remedy to run on the target. */
export function onTarget(sql: string): Remedy {
  return { kind: 'statement', sql, on: 'target' };
}

/** A remedy to run on CockroachDB. */
export function onSource(sql: string): Remedy {
  return { kind: 'statement', sql, on: 'source' };
}

export function action(text: string): Remedy {
  return { kind: 'action', text };
}

/** Makes a finding; `problem` says what is wrong, in a clause that follows the object's name. */
export function createFinding(
  severity: Severity,
  id: string,
  parts: { readonly object: string; readonly problem: string; readonly found: string; readonly remedy: Remedy },
): Finding {
  const { object, problem, found, remedy } = parts;
  const next = remedy.kind === 'action' ? remedy.text : `Run on the ${remedy.on}: ${remedy.sql}`;
  return { id, severity, object, found, remedy, message: `${object}: ${problem} (found: ${found}). ${next}` };
}

export function isBlocking(finding: Finding): boolean {
  return finding.severity === 'blocking';
}
