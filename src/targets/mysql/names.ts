import type { TableName } from '../../domain/table.js';

/** A name, quoted for SQL in whichever sql_mode. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** `database`.`table`, quoted for SQL. */
export function quoteTable(name: TableName): string {
  return `${quoteName(name.schema)}.${quoteName(name.table)}`;
}

/** A string literal, for a session in which a backslash escapes. */
export function quoteText(text: string): string {
  return `'${UNSAFE.test(text) ? text.replace(EACH_UNSAFE, escaped) : text}'`;
}

const UNSAFE = /['\\\0]/;
const EACH_UNSAFE = /['\\\0]/g;

function escaped(character: string): string {
  return character === '\0' ? '\\0' : `\\${character}`;
}
