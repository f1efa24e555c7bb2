/**
 * What becomes of a change that the target will never take.
 * - `halt`: the stream halts, names it, and waits for a person.
 * - `deadLetter`: it is put aside in a table on the target, and the stream goes on.
 */
export const ON_BAD_ROW = ['halt', 'deadLetter'] as const;
export type OnBadRow = (typeof ON_BAD_ROW)[number];

/** The dead letters of a stream that wait: by source table, most first. */
export interface DeadLetters {
  readonly count: number;
  readonly tables: readonly { readonly table: string; readonly count: number }[];
}

export const NO_DEAD_LETTERS: DeadLetters = { count: 0, tables: [] };

/** Tables named in a sentence; a status and a history have limits. */
const TABLES_NAMED = 5;

/** Where they are (`table` is the target's name for it) and of which tables, for people. No row value. Pure. */
export function describeDeadLetters({ count, tables }: DeadLetters, table: string): string {
  const named = tables.slice(0, TABLES_NAMED).map((one) => `${one.table} ${one.count}`);
  if (tables.length > TABLES_NAMED) named.push(`${tables.length - TABLES_NAMED} more tables`);
  const waiting = count === 1 ? '1 change that the target refused is' : `${count} changes that the target refused are`;
  return `${waiting} in ${table} (${named.join(', ')})`;
}

/** What the ending says of those that stay. Pure. */
export function sayDeadLettersLeft(letters: DeadLetters, table: string, run: string): string {
  const of = `run = '${run.replaceAll("'", "''")}'`;
  return (
    `${describeDeadLetters(letters, table)}, and ${letters.count === 1 ? 'stays' : 'stay'} there: see which rows still lack ` +
    `(SELECT * FROM ${table} WHERE ${of} ORDER BY hlc), mend them by hand, then DELETE FROM ${table} WHERE ${of}`
  );
}

/** So few are counted one by one; of more, a line for every change of the number would fill the history. */
const COUNTED = 20;

/** Whether a person has to hear of the new number: always of none and of a few, else when it has doubled or halved. Pure. */
export function isNewNumber(before: number, now: number): boolean {
  if (before === now) return false;
  const [low, high] = [Math.min(before, now), Math.max(before, now)];
  return low <= COUNTED || high >= 2 * low;
}
