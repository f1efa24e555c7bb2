import { MYSQL } from './mysql.js';
import type { OldDialect } from './old-database.js';
import { POSTGRES } from './postgres.js';

/** The dialects of `npm run demo -- --target <name>`. */
export const OLD_DIALECTS = { postgres: POSTGRES, mysql: MYSQL } as const;
export type OldDialectName = keyof typeof OLD_DIALECTS;

export function dialectOf(url: string): OldDialect {
  return url.startsWith('mysql:') ? MYSQL : POSTGRES;
}
