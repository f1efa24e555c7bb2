/** A status has limits; the activity's result in the history has all of them. */
const LISTED = 20;

/** What a comparison has left out, as a sentence after another; empty: nothing. */
export function sayNotCompared(columns: readonly string[] = []): string {
  if (columns.length === 0) return '';
  const more = columns.length > LISTED ? ` and ${columns.length - LISTED} more` : '';
  return ` Not compared, as the target does not have them: ${columns.slice(0, LISTED).join(', ')}${more}.`;
}
