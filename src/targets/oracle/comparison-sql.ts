import type { ComparedTable } from '../snapshot.js';
import { comparedTypeOf, type ComparedType } from './comparison-values.js';
import { quoteName, quoteTable } from './names.js';
import { DATE_FORMAT, keySql, TIMESTAMP_FORMAT } from './types.js';

/** The rows of `count` keys as texts: `c1`, `c2`, ... :1, :2, ... = the keys' columns, one key after another. */
export function rowsSql(table: ComparedTable, count: number): string {
  const types = table.columns.map(comparedTypeOf);
  const shown = table.columns.map(
    ({ target }, place) => `${shownSql(types[place], quoteName(target))} AS c${place + 1}`,
  );
  const keys = table.columns.slice(0, table.keyCount);
  const names = keys.map(({ target }) => `t.${quoteName(target)}`);
  const wanted = Array.from({ length: count }, (_, row) => {
    const values = keys.map((_key, place) => lookupSql(types[place], `:${row * keys.length + place + 1}`));
    return keys.length === 1 ? values.join('') : `(${values.join(', ')})`;
  });
  const left = keys.length === 1 ? names.join('') : `(${names.join(', ')})`;
  return `SELECT ${shown.join(', ')} FROM ${quoteTable(table.target)} t WHERE ${left} IN (${wanted.join(', ')})`;
}

/** Keys in the target's order: `c1` ... With `after`, :1, :2, ... = the key to go on from, as often as `placesOfKey` says. */
export function keysSql(table: ComparedTable, after: boolean, limit: number): string {
  const keys = table.columns.slice(0, table.keyCount);
  const types = keys.map(comparedTypeOf);
  const shown = keys.map(({ target }, place) => `${shownSql(types[place], quoteName(target))} AS c${place + 1}`);
  const names = keys.map(({ target }) => `t.${quoteName(target)}`);
  const where = after ? ` WHERE ${beyondSql(names, types)}` : '';
  return `SELECT ${shown.join(', ')} FROM ${quoteTable(table.target)} t${where} ORDER BY ${names.join(', ')} FETCH FIRST ${limit} ROWS ONLY`;
}

/** Which column of the key each place of `keysSql` stands for. */
export function placesOfKey(keyCount: number): readonly number[] {
  const steps = Array.from({ length: keyCount }, (_, last) =>
    Array.from({ length: last + 1 }, (_each, place) => place),
  );
  return [0, ...steps.flat()];
}

/** Oracle compares lists for equality alone. The first condition lets it begin in the key's index. */
function beyondSql(names: readonly string[], types: readonly ComparedType[]): string {
  let bind = 0;
  const value = (place: number): string => lookupSql(types[place], `:${++bind}`);
  const first = `${names[0]} >= ${value(0)}`;
  const steps = names.map((_name, last) =>
    names
      .slice(0, last + 1)
      .map((one, place) => `${one} ${place === last ? '>' : '='} ${value(place)}`)
      .join(' AND '),
  );
  return `${first} AND ((${steps.join(') OR (')}))`;
}

/** SQL of the key column's type for what `lookupBind` gives, so that the key's index is used. */
function lookupSql(compared: ComparedType | undefined, bind: string): string {
  if (compared === undefined) return bind;
  return compared.type.kind === 'raw' ? `HEXTORAW(${bind})` : keySql(compared.type, bind);
}

/** The value as a text with every digit; `fromTarget` gives it its one spelling. */
function shownSql(compared: ComparedType | undefined, column: string): string {
  const name = `t.${column}`;
  switch (compared?.type.kind) {
    case 'date':
      return `TO_CHAR(${name}, '${DATE_FORMAT}')`;
    case 'timestamp':
      return `TO_CHAR(${name}, '${TIMESTAMP_FORMAT}')`;
    case 'timestamptz':
    case 'timestampltz':
      return `TO_CHAR(${name} AT TIME ZONE 'UTC', '${TIMESTAMP_FORMAT}')`;
    case 'interval ds':
    case 'interval ym':
      return `TO_CHAR(${name})`;
    case 'raw':
      return `RAWTOHEX(${name})`;
    case 'boolean':
      return `CASE WHEN ${name} THEN '1' WHEN NOT ${name} THEN '0' END`;
    case 'json':
      return `JSON_SERIALIZE(${name} RETURNING CLOB)`;
    default:
      return name;
  }
}
