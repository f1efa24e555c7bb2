import type { KeyClass } from './table.js';

/** A column type as CockroachDB spells it, taken apart. */
export interface SourceType {
  /** One name for each type whatever alias was used, e.g. `int8` for INT, BIGINT and INT8; a user's type keeps its name. */
  readonly base: string;
  /** The numbers in brackets: length, or precision and scale. Empty: unlimited. */
  readonly limits: readonly number[];
  readonly array: boolean;
  /** The collation's name; its keys cannot be told apart by their text. */
  readonly collation: string | null;
}

const ALIASES: Readonly<Record<string, string>> = {
  int: 'int8',
  integer: 'int8',
  bigint: 'int8',
  int64: 'int8',
  serial: 'int8',
  bigserial: 'int8',
  serial8: 'int8',
  smallint: 'int2',
  float: 'float8',
  'double precision': 'float8',
  real: 'float4',
  numeric: 'decimal',
  dec: 'decimal',
  text: 'string',
  varchar: 'string',
  'character varying': 'string',
  character: 'char',
  bpchar: 'char',
  boolean: 'bool',
  bytea: 'bytes',
  blob: 'bytes',
  json: 'jsonb',
  'timestamp without time zone': 'timestamp',
  'timestamp with time zone': 'timestamptz',
  'time without time zone': 'time',
  'time with time zone': 'timetz',
  'bit varying': 'varbit',
};

const SHAPE = /^(.*?)\s*(?:\(([\d,\s]+)\))?(\s+with(?:out)? time zone)?\s*((?:\[\d*\])*)$/i;

/** Reads the type text of information_schema's `crdb_sql_type` or of SHOW CREATE TABLE. Never throws: an unknown type keeps its name. */
export function parseSourceType(text: string): SourceType {
  const { type, collation } = splitCollation(text.trim());
  const match = SHAPE.exec(type);
  const written = `${match?.[1] ?? type}${match?.[3] ?? ''}`;
  const known = ALIASES[written.toLowerCase()];
  // A quoted or user-made type keeps its case; CockroachDB's own names do not depend on it.
  const base = known ?? (/^\w+$/.test(written) ? written.toLowerCase() : written);
  const limits = (match?.[2] ?? '').split(',').flatMap((part) => (part.trim() === '' ? [] : [Number(part)]));
  // CHAR and BIT without a length hold one.
  const bounded = limits.length === 0 && (base === 'char' || base === 'bit') ? [1] : limits;
  return { base, limits: bounded, array: (match?.[4] ?? '') !== '', collation };
}

function splitCollation(text: string): { type: string; collation: string | null } {
  const match = /^(.*?)\s+collate\s+"?([^"[\]]+)"?(\[\])?$/i.exec(text);
  if (!match) return { type: text, collation: null };
  return { type: `${match[1] ?? ''}${match[3] ?? ''}`, collation: match[2] ?? null };
}

/**
 * How the changefeed's text of a key column becomes its identity, by CockroachDB's type text. Null: the text cannot be made
 * canonical, so the type is refused as a key (protocol rule 18).
 */
export function keyClassOf(type: string): KeyClass | null {
  const { base, array, collation } = parseSourceType(type);
  if (array || collation !== null || base === 'citext' || base === 'jsonb') return null;
  if (base === 'decimal') return 'decimal';
  return base === 'float8' || base === 'float4' ? 'float' : 'exact';
}
