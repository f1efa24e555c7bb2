import type { TableName } from '../../domain/table.js';

export { matchName } from '../match-name.js';

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

/** `` `a`, `b` ``, quoted for SQL. */
export function quoteColumns(names: readonly string[]): string {
  return names.map(quoteName).join(', ');
}

/** An account as GRANT takes it: `'user'@'host'` of CURRENT_USER()'s `user@host`. The host is what follows the last @. */
export function quoteAccount(account: string): string {
  const at = account.lastIndexOf('@');
  return at < 0 ? quoteText(account) : `${quoteText(account.slice(0, at))}@${quoteText(account.slice(at + 1))}`;
}
