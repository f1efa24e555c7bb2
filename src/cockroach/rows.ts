import type { TextRow } from './client.js';

/** An answer that has not the shape that CockroachDB documents. */
export class UnexpectedAnswerError extends Error {
  constructor(expected: string, found: string) {
    super(`CockroachDB answered without ${expected} (found ${found}): is this a supported version?`);
    this.name = 'UnexpectedAnswerError';
  }
}

/** The value of a column that must be there. @throws UnexpectedAnswerError */
export function valueOf(row: TextRow, column: string): string {
  const value = row[column];
  if (value === null || value === undefined)
    throw new UnexpectedAnswerError(`a value in column ${column}`, `columns ${Object.keys(row).join(', ')}`);
  return value;
}

/** The value of the first row's column, where exactly one row is due. @throws UnexpectedAnswerError */
export function onlyValue(rows: readonly TextRow[], column: string): string {
  const [row] = rows;
  if (!row) throw new UnexpectedAnswerError(`a row with ${column}`, 'no row');
  return valueOf(row, column);
}
