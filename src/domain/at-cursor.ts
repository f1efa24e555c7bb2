import { sayNotCompared } from './not-compared.js';

/** The checkpoint row as it was read back. HLCs are text. */
export interface Begun {
  readonly cursor: string;
  readonly applied: string;
}

/** What comparing every row of both sides as of the cursor has shown. */
export interface ComparedAtCursor {
  readonly tables: number;
  readonly rows: number;
  readonly differing: number;
  /** Per table what differs, by key. */
  readonly summary: string;
  /** Columns that the target lacks. */
  readonly notCompared?: readonly string[];
}

export interface AtCursorVerdict {
  /** For `status`. */
  readonly said: string;
  /** Why a person must say that the run goes on; null: it goes on by itself. */
  readonly differs: string | null;
}

const movedOn = 'rows were not compared: the target has moved on since, in an earlier start of this run';

/**
 * Why rows are not compared; null: they are. A target that stands after the cursor has more than the source had there.
 * @param asked the input's `compareAtCursor`
 */
export function whyNotCompared(asked: boolean, { cursor, applied }: Begun): string | null {
  if (!asked) return 'rows were not compared: the input says so (compareAtCursor)';
  return applied === cursor ? null : movedOn;
}

/**
 * Rows written to the source before the cursor are in no changefeed: what differs there would stay so (protocol rule 1). Pure.
 * @param compared null when the target has moved on meanwhile
 */
export function judgeAtCursor(cursor: string, compared: ComparedAtCursor | null): AtCursorVerdict {
  if (compared === null) return { said: movedOn, differs: null };
  const leftOut = sayNotCompared(compared.notCompared);
  const amount = `${compared.rows} rows in ${compared.tables} tables${leftOut && `.${leftOut}`}`;
  if (compared.differing === 0) return { said: `both sides were equal: ${amount}`, differs: null };
  return {
    said: `both sides differed in ${compared.differing} keys: ${amount}`,
    differs: `as of the cursor ${cursor}: ${compared.summary}`,
  };
}
