import type { ComparedColumn, ComparedTable } from '../snapshot.js';
import { comparedTypeOf, isBinary, isJson, isText, type ComparedType } from './comparison-values.js';
import { quoteName, quoteTable } from './names.js';

/**
 * The rows of a page that the target does not have, or has otherwise: `place` (from 1), `missing`, `differing` (positions from 1, with commas),
 * and `j1` ... the target's texts of JSON columns that are not the same byte for byte.
 * ? = the page, an array of arrays of texts, each as the target shows the value
 */
export function compareSql(table: ComparedTable): string {
  const sent = table.columns.map((_, index) => `c${index + 1} LONGTEXT PATH '$[${index}]'`).join(', ');
  const keys = table.columns.slice(0, table.keyCount);
  const match = keys.flatMap((column, index) => [
    `t.${quoteName(column.target)} = ${lookupSql(column, `s.c${index + 1}`)}`,
    sameSql(column, `s.c${index + 1}`),
  ]);
  const absent = `t.${quoteName(keys[0]?.target ?? '')} IS NULL`;
  const rest = table.columns.map((column, index) => ({ column, place: index + 1 })).slice(table.keyCount);
  const unequal = rest.map(({ column, place }) => `NOT (${sameSql(column, `s.c${place}`)})`);
  const positions = rest.map(({ place }, index) => `CASE WHEN ${unequal[index]} THEN '${place}' END`);
  const jsons = rest.flatMap(({ column, place }, index) =>
    isJson(comparedTypeOf(column)) ? [`CASE WHEN ${unequal[index]} THEN ${shownSql(column)} END AS j${place}`] : [],
  );
  return `
    SELECT s.place AS place, ${absent} AS missing, CONCAT_WS(',', NULL${positions.map((one) => `, ${one}`).join('')}) AS differing
      ${jsons.map((one) => `, ${one}`).join('')}
    FROM JSON_TABLE(?, '$[*]' COLUMNS (place FOR ORDINALITY, ${sent})) s
    LEFT JOIN ${quoteTable(table.target)} t ON ${match.join(' AND ')}
    WHERE ${[absent, ...unequal].join(' OR ')}
    ORDER BY 1`;
}

/** Keys in the target's order, each as it is shown: `k1` ... With `after`, ? = the key to go on from, as often as `placesOfKey` says. */
export function keysSql(table: ComparedTable, after: boolean, limit: number): string {
  const keys = table.columns.slice(0, table.keyCount);
  const names = keys.map((column) => `t.${quoteName(column.target)}`);
  const shown = keys.map((column, index) => `${shownSql(column)} AS k${index + 1}`);
  const where = after ? `WHERE ${beyondSql(keys, names)}` : '';
  return `SELECT ${shown.join(', ')} FROM ${quoteTable(table.target)} t ${where} ORDER BY ${names.join(', ')} LIMIT ${limit}`;
}

/** Which column of the key each ? of `keysSql` stands for. */
export function placesOfKey(keyCount: number): readonly number[] {
  const equals = Array.from({ length: keyCount }, (_, last) =>
    Array.from({ length: last + 1 }, (_each, place) => place),
  );
  return [0, ...equals.flat()];
}

/** Neither server uses the key's index for (a, b) > (?, ?). */
function beyondSql(keys: readonly ComparedColumn[], names: readonly string[]): string {
  const [first] = keys;
  if (first === undefined) return 'FALSE';
  const steps = keys.map((column, last) => {
    const equal = keys.slice(0, last).map((one, place) => `${names[place]} = ${lookupSql(one, '?')}`);
    return [...equal, `${names[last]} > ${lookupSql(column, '?')}`].join(' AND ');
  });
  return `${names[0]} >= ${lookupSql(first, '?')} AND ((${steps.join(') OR (')}))`;
}

/** SQL of the column's type for a shown text, so that the key's index is used and compares as it does. It may round: `sameSql` tells. */
function lookupSql(column: ComparedColumn, value: string): string {
  const type = comparedTypeOf(column);
  switch (type.base) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'year':
      return `CAST(${value} AS ${type.unsigned ? 'UNSIGNED' : 'SIGNED'})`;
    case 'bit':
      return `CAST(CONV(${value}, 2, 10) AS UNSIGNED)`;
    case 'decimal':
      return `CAST(${value} AS DECIMAL(${type.limits.join(', ')}))`;
    case 'float':
    case 'double':
      return `(${value} + 0e0)`;
    case 'date':
      return `CAST(${value} AS DATE)`;
    case 'time':
      return `CAST(${value} AS TIME(6))`;
    case 'datetime':
    case 'timestamp':
      return `CAST(${value} AS DATETIME(6))`;
    default:
      if (isBinary(type)) return `UNHEX(${value})`;
      return type.collation === null
        ? value
        : `CONVERT(${value} USING ${charsetOf(type.collation)}) COLLATE ${type.collation}`;
  }
}

/** A collation's name begins with its character set's. */
function charsetOf(collation: string): string {
  return collation.split('_')[0] ?? collation;
}

/** The value as text, in one spelling only. */
function shownSql(column: ComparedColumn): string {
  const name = `t.${quoteName(column.target)}`;
  const type = comparedTypeOf(column);
  if (isBinary(type)) return `LOWER(HEX(${name}))`;
  if (type.base === 'bit') return `LPAD(BIN(${name} + 0), ${type.limits[0] ?? 1}, '0')`;
  // A FLOAT is shown with six digits.
  if (type.base === 'float') return `CAST(${name} + 0e0 AS CHAR)`;
  if (type.from === 'uuid' && isText(type)) return `LOWER(CONVERT(${name} USING utf8mb4))`;
  return isText(type) ? `CONVERT(${name} USING utf8mb4)` : `CAST(${name} AS CHAR)`;
}

/** Byte for byte: a collation would take capitals, accents or spaces at the end for nothing. */
function sameSql(column: ComparedColumn, value: string): string {
  const type = comparedTypeOf(column);
  if (type.base === 'double' || type.base === 'float') return sameFloat(column, value, type);
  return `CAST(${shownSql(column)} AS BINARY) <=> CAST(${value} AS BINARY)`;
}

/** By value: both spell it in many ways. A text that is no number would be read as 0. Minus zero is zero there. */
function sameFloat(column: ComparedColumn, value: string, { base }: ComparedType): string {
  const name = `t.${quoteName(column.target)}`;
  const own = base === 'float' ? `(${name} + 0e0)` : name;
  const isNumber = `${value} REGEXP '^-*[0-9.]+(e[-+]*[0-9]+)*$'`;
  return `((${value} IS NULL AND ${name} IS NULL) OR COALESCE(${isNumber} AND ${own} = (${value} + 0e0), FALSE))`;
}
