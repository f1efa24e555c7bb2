import { parseSourceType } from './source-type.js';
import type { TableName } from './table.js';

/** The table of the drain's sentinel row, as each side names it. */
export interface SentinelTable {
  readonly source: TableName;
  readonly target: TableName;
}

/** What a side's catalogue says of the sentinel's table. */
export interface SentinelShape {
  readonly columns: readonly {
    readonly name: string;
    /** As either database spells it. */
    readonly type: string;
    /** A row without a value for it is refused. */
    readonly required?: boolean;
  }[];
  readonly primaryKey: readonly string[];
}

/** The columns that a sentinel row fills; both sides must have them. */
export const SENTINEL_COLUMNS = ['id', 'written_at'] as const;

/** Length of the id that is written: a uuid as text. */
const ID_LENGTH = 36;

/** What keeps a table from carrying the sentinel row; empty: nothing. Pure. */
export function findSentinelProblems({ columns, primaryKey }: SentinelShape): readonly string[] {
  const typeOf = (name: string): string | null => columns.find((column) => column.name === name)?.type ?? null;
  const [id, writtenAt] = SENTINEL_COLUMNS.map(typeOf);
  const others = columns.filter(({ name, required }) => required && !SENTINEL_COLUMNS.some((one) => one === name));
  return [
    ...(id && holdsId(id)
      ? []
      : [`column id is ${id ?? 'missing'}, expected a text of ${ID_LENGTH} characters or more`]),
    ...(writtenAt && isTimestamp(writtenAt)
      ? []
      : [`column written_at is ${writtenAt ?? 'missing'}, expected timestamptz`]),
    ...(primaryKey.length === 1 && primaryKey[0] === 'id'
      ? []
      : [`the primary key is (${primaryKey.join(', ')}), expected (id)`]),
    ...others.map(({ name }) => `column ${name} has no default and may not be NULL`),
  ];
}

function holdsId(type: string): boolean {
  const { base, limits, array } = parseSourceType(type);
  return base === 'string' && !array && (limits[0] ?? ID_LENGTH) >= ID_LENGTH;
}

function isTimestamp(type: string): boolean {
  const { base, array } = parseSourceType(type);
  return base === 'timestamptz' && !array;
}
