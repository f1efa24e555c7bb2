/**
 * How the JSON text of a changefeed becomes a value of a PostgreSQL column, by PostgreSQL's own readers: no value passes through
 * JavaScript (invariant 7). Most types read CockroachDB's text as it is, NaN, `\x0001ff`, `24:00:00`, `0044-03-15 BC` and arrays included.
 */

/** The type of a target column, as `readApplyShape` finds it. */
export interface ColumnType {
  /** With its modifiers, qualified: `numeric(12,2)`, `public.mood`. */
  readonly declared: string;
  /** Under any domain and without limits, so that a cast to it never cuts: `numeric`, `bpchar`; `text` for `name` and `"char"`. */
  readonly bare: string;
  /**
   * Under any domain and with its limits, where PostgreSQL's reader rounds or cuts to them in silence: `numeric(12,2)`, `name`. Null: it has
   * no limits, or its reader refuses what is beyond them.
   */
  readonly limited: string | null;
  /** `timestamp` stands for both kinds, `json` for json and jsonb. */
  readonly reader: 'plain' | 'timestamp' | 'timestamp[]' | 'json';
  readonly notNull: boolean;
}

/** The type as which json_to_recordset is to hand the column out, for `rowValue` to finish. */
export function recordType(type: ColumnType): string {
  if (type.reader === 'timestamp') return 'text';
  if (type.reader === 'timestamp[]') return 'json';
  return type.limited === null ? type.declared : type.bare;
}

/** SQL of the column's value. `source` is SQL of what json_to_recordset has handed out as `recordType`. */
export function rowValue(type: ColumnType, source: string): string {
  switch (type.reader) {
    case 'plain':
      return type.limited === null ? source : withinLimits(type.bare, type.limited, source);
    case 'timestamp':
      return timestampValue(type.declared, type, source);
    case 'timestamp[]': {
      const element = { bare: elementOf(type.bare), limited: type.limited === null ? null : elementOf(type.limited) };
      const value = timestampValue(elementOf(type.declared), element, 'item.text');
      const items = `json_array_elements_text(${source}) WITH ORDINALITY AS item(text, place)`;
      return `CASE WHEN ${source} IS NOT NULL THEN ARRAY(SELECT ${value} FROM ${items} ORDER BY item.place) END`;
    }
    case 'json':
      // The changefeed writes JSON null and SQL NULL alike; in a NOT NULL column it can only be the former.
      return type.notNull ? `coalesce(${source}, 'null'::${type.declared})` : source;
  }
}

/** SQL of a key column's value from its text. Never cut to the column's length: a longer key must find nothing. */
export function keyValue(type: ColumnType, source: string): string {
  if (type.reader !== 'timestamp') return `${source}::${type.bare}`;
  const sent = timestampValue(type.bare, { bare: type.bare, limited: null }, source);
  // PostgreSQL's own spelling, of rows that it has been asked for.
  return `CASE WHEN ${source} = '-infinity' THEN '-infinity'::${type.bare} ELSE ${sent} END`;
}

/** What `withinLimits` makes PostgreSQL say. Holds the name of a type and no value, so it may be shown. */
const BEYOND_LIMITS =
  /^invalid input syntax for type integer: "(does not fit [\w ]+(?:\([\d,-]+\))?[a-z ]*(?:\[\])?|does not fit "char")"$/;

/** The words for a value that PostgreSQL would have rounded or cut; null: the message says something else. */
export function beyondLimits(message: string): string | null {
  const [, words] = BEYOND_LIMITS.exec(message) ?? [];
  return words === undefined ? null : `the value ${words}: it would be rounded or cut`;
}

/**
 * SQL of `value`, of type `bare`, or an error where `limited` would change it: PostgreSQL's own readers refuse a text that is too long, but
 * round numbers and times, and cut names and spaces. NULL passes.
 */
function withinLimits(bare: string, limited: string, value: string): string {
  const compared = `${value}::${limited}${bare === 'text' ? '::text' : ''}`;
  return `CASE WHEN ${value} <> ${compared} THEN ${refusal(bare, limited, value)} ELSE ${value} END`;
}

/**
 * An expression raises an error only by a cast that fails. It depends on the value, so that no planner tries it in advance, and on none of its
 * characters, so that the error can be shown.
 */
function refusal(bare: string, limited: string, value: string): string {
  if (VARCHAR.test(limited)) {
    // Never cut again: something other than a space is too many.
    const reader = `json_to_record(json_build_object('v', ${value} || '.')) AS too_long(v ${limited})`;
    return `(SELECT too_long.v FROM ${reader})`;
  }
  return `('does not fit ${limited}' || left(${value}::text, 0))::int::text::${bare}`;
}

const VARCHAR = /^character varying\(\d+\)$/;

function elementOf(array: string): string {
  return array.replace(/\[\]$/, '');
}

/**
 * CockroachDB writes infinity as its greatest and its least timestamp, and years before 1 with an astronomical number
 * (`-0043-03-15...` is 44 BC), which PostgreSQL does not read.
 */
function timestampValue(
  declared: string,
  { bare, limited }: { readonly bare: string; readonly limited: string | null },
  text: string,
): string {
  const read = (spelled: string): string =>
    limited === null
      ? `${spelled}::${declared}`
      : `CASE WHEN ${spelled}::${bare} <> ${spelled}::${limited} THEN ${refusal(bare, limited, spelled)} ELSE ${spelled}::${bare} END`;
  const beforeChrist =
    `(to_char(1 - substring(${text} FROM '^-?\\d+')::int, 'FM0000')` +
    ` || substring(${text} FROM '^-?\\d+(-.*)$') || ' BC')`;
  return (
    `CASE WHEN ${text} LIKE '294276-12-31T23:59:59.999999%' THEN 'infinity'::${declared}` +
    ` WHEN ${text} LIKE '-4713-11-24T00:00:00%' THEN '-infinity'::${declared}` +
    ` WHEN ${text} LIKE '-%' OR ${text} LIKE '0000-%' THEN ${read(beforeChrist)}` +
    ` ELSE ${read(text)} END`
  );
}
