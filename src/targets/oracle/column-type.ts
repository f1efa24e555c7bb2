import type { OracleRow } from './client.js';
import type { ColumnType, OracleKind } from './types.js';

/** Of DATA_TYPE without its limits. */
const KINDS: Readonly<Record<string, OracleKind>> = {
  NUMBER: 'number',
  FLOAT: 'number',
  BINARY_FLOAT: 'binary_float',
  BINARY_DOUBLE: 'binary_double',
  VARCHAR2: 'varchar',
  NVARCHAR2: 'nvarchar',
  CHAR: 'char',
  NCHAR: 'nchar',
  CLOB: 'clob',
  NCLOB: 'nclob',
  RAW: 'raw',
  BLOB: 'blob',
  DATE: 'date',
  TIMESTAMP: 'timestamp',
  'TIMESTAMP WITH TIME ZONE': 'timestamptz',
  'TIMESTAMP WITH LOCAL TIME ZONE': 'timestampltz',
  'INTERVAL YEAR TO MONTH': 'interval ym',
  'INTERVAL DAY TO SECOND': 'interval ds',
  BOOLEAN: 'boolean',
  JSON: 'json',
};

/** Binary digits of a FLOAT, and the decimal ones that they are sure to keep. */
const DECIMAL_OF_BINARY = 0.30103;

/** Reads a row of `COLUMNS`: a column of ALL_TAB_COLS. */
export function readColumnType(row: OracleRow): ColumnType {
  const written = row.data_type ?? '';
  const bare = written.replace(/\(\d+\)/g, '');
  const kind = KINDS[bare] ?? 'other';
  const precision = numberOf(row.data_precision);
  const scale = numberOf(row.data_scale);
  const text = row.char_used !== null && row.char_used !== undefined;
  const length = text ? numberOf(row.char_length) : kind === 'raw' ? numberOf(row.data_length) : null;
  return {
    declared: declaredOf(written, kind, { precision, scale, length, chars: row.char_used === 'C' }),
    kind,
    precision: bare === 'FLOAT' && precision !== null ? Math.floor(precision * DECIMAL_OF_BINARY) : precision,
    scale,
    length,
    json: kind !== 'json' && row.json_format !== null && row.json_format !== undefined,
    notNull: row.nullable === 'N',
    ...(bare === 'FLOAT' ? { floating: true } : {}),
  };
}

function numberOf(text: string | null | undefined): number | null {
  return text === null || text === undefined ? null : Number(text);
}

interface Limits {
  readonly precision: number | null;
  readonly scale: number | null;
  readonly length: number | null;
  readonly chars: boolean;
}

/** DATA_TYPE has the limits of times and intervals in it, and of no other type. */
function declaredOf(written: string, kind: OracleKind, { precision, scale, length, chars }: Limits): string {
  if (length !== null) return `${written}(${length}${chars && kind !== 'nvarchar' && kind !== 'nchar' ? ' CHAR' : ''})`;
  if (kind !== 'number' || (precision === null && scale === null)) return written;
  return scale === null ? `${written}(${precision ?? '*'})` : `${written}(${precision ?? '*'},${scale})`;
}

/** What `declared` says, and ` IS JSON` behind it: a type that has gone through a history as text. */
export function parseDeclared(text: string): ColumnType {
  const declared = text.replace(/ IS JSON$/, '');
  const bare = declared.replace(/\([^)]*\)/g, '');
  const kind = KINDS[bare] ?? 'other';
  const limits = [...declared.matchAll(/\(([^)]*)\)/g)].flatMap(([, inside = '']) => inside.split(','));
  const [first = null, second = null] = limits.map((limit) => (/^-?\d+/.test(limit) ? parseInt(limit, 10) : null));
  const isInterval = kind === 'interval ds' || kind === 'interval ym';
  const isTime = kind.startsWith('timestamp');
  const digits = bare === 'FLOAT' && first !== null ? Math.floor(first * DECIMAL_OF_BINARY) : first;
  return {
    declared,
    kind,
    precision: kind === 'number' || isInterval ? digits : null,
    scale: isTime ? first : kind === 'number' || isInterval ? second : null,
    length: kind === 'number' || isInterval || isTime ? null : first,
    json: text !== declared,
    notNull: false,
    ...(bare === 'FLOAT' ? { floating: true as const } : {}),
  };
}
