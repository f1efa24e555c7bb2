import { formatTableName } from '../domain/table.js';
import type { ComparedTable } from '../targets/snapshot.js';
import { countDiffering, type TableComparison } from './compare-tables.js';

/** A status and a history have limits: what differs everywhere is not listed table by table. */
const TABLES_LISTED = 20;

/** What a comparison has shown, for people: by table and key, never by value. Pure. */
export function summarize(
  results: readonly TableComparison[],
  compared: readonly Pick<ComparedTable, 'target' | 'notCompared'>[],
): {
  readonly tables: number;
  readonly rows: number;
  /** Keys missing, extra or different, in all tables. */
  readonly differing: number;
  readonly summary: string;
  /** `schema.table.column` of what the target lacks and could not be compared. */
  readonly notCompared: readonly string[];
} {
  const lines = results
    .filter((one) => countDiffering(one) > 0)
    .map((one) => {
      const parts = [
        one.missing.total > 0 ? `${one.missing.total} missing on the target (keys ${one.missing.keys.join(' ')})` : '',
        one.different.total > 0
          ? `${one.different.total} different (${one.different.rows.map((row) => `key ${row.key}: ${row.columns.join(', ')}`).join('; ')})`
          : '',
        one.extra.total > 0 ? `${one.extra.total} only on the target (keys ${one.extra.keys.join(' ')})` : '',
      ];
      return `${one.table}: ${parts.filter(Boolean).join(', ')}`;
    });
  return {
    tables: results.length,
    rows: results.reduce((sum, one) => sum + one.rows, 0),
    differing: results.reduce((sum, one) => sum + countDiffering(one), 0),
    summary: lines.length === 0 ? 'both sides are equal' : shorten(lines).join('. '),
    notCompared: compared.flatMap(({ target, notCompared }) =>
      notCompared.map((column) => `${formatTableName(target)}.${column}`),
    ),
  };
}

function shorten(lines: readonly string[]): readonly string[] {
  const more = lines.length - TABLES_LISTED;
  return more <= 0 ? lines : [...lines.slice(0, TABLES_LISTED), `and ${more} more tables differ`];
}
