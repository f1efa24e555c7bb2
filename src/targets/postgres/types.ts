/**
 * How the JSON text of a changefeed becomes a value of a PostgreSQL column, by PostgreSQL's own readers: no value passes through
 * JavaScript (invariant 7). Most types read CockroachDB's text as it is, NaN, `\x0001ff`, `24:00:00`, `0044-03-15 BC` and arrays included.
 */

/** The type of a target column, as `readApplyShape` finds it. */
export interface ColumnType {
  /** With its modifiers, qualified: `numeric(12,2)`, `public.mood`. */
  readonly declared: string;
  /** Without modifiers, so that a cast to it never cuts: `numeric`, `bpchar`. */
  readonly bare: string;
  /** `timestamp` stands for both kinds, `json` for json and jsonb. */
  readonly reader: 'plain' | 'timestamp' | 'timestamp[]' | 'json';
  readonly notNull: boolean;
}

/** The type as which json_to_recordset is to hand the column out, for `rowValue` to finish. */
export function recordType(type: ColumnType): string {
  if (type.reader === 'timestamp') return 'text';
  return type.reader === 'timestamp[]' ? 'json' : type.declared;
}

/** SQL of the column's value. `source` is SQL of what json_to_recordset has handed out as `recordType`. */
export function rowValue(type: ColumnType, source: string): string {
  switch (type.reader) {
    case 'plain':
      return source;
    case 'timestamp':
      return timestampValue(type.declared, source);
    case 'timestamp[]': {
      const element = timestampValue(type.declared.replace(/\[\]$/, ''), 'item.text');
      const items = `json_array_elements_text(${source}) WITH ORDINALITY AS item(text, place)`;
      return `CASE WHEN ${source} IS NOT NULL THEN ARRAY(SELECT ${element} FROM ${items} ORDER BY item.place) END`;
    }
    case 'json':
      // The changefeed writes JSON null and SQL NULL alike; in a NOT NULL column it can only be the former.
      return type.notNull ? `coalesce(${source}, 'null'::${type.declared})` : source;
  }
}

/** SQL of a key column's value from its text. Never cut to the column's length: a longer key must find nothing. */
export function keyValue(type: ColumnType, source: string): string {
  return type.reader === 'timestamp' ? timestampValue(type.bare, source) : `${source}::${type.bare}`;
}

/**
 * CockroachDB writes infinity as its greatest and its least timestamp, and years before 1 with an astronomical number
 * (`-0043-03-15...` is 44 BC), which PostgreSQL does not read.
 */
function timestampValue(type: string, text: string): string {
  const beforeChrist =
    `(to_char(1 - substring(${text} FROM '^-?\\d+')::int, 'FM0000')` +
    ` || substring(${text} FROM '^-?\\d+(-.*)$') || ' BC')::${type}`;
  return (
    `CASE WHEN ${text} LIKE '294276-12-31T23:59:59.999999%' THEN 'infinity'::${type}` +
    ` WHEN ${text} LIKE '-4713-11-24T00:00:00%' THEN '-infinity'::${type}` +
    ` WHEN ${text} LIKE '-%' OR ${text} LIKE '0000-%' THEN ${beforeChrist}` +
    ` ELSE ${text}::${type} END`
  );
}
