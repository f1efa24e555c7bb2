import type { Cockroach } from './client.js';
import { onlyValue } from './rows.js';
import { isAtLeast } from './version.js';

/** Who asks, and what it may do in the whole cluster. */
export interface SystemPrivileges {
  readonly user: string;
  readonly isAdmin: boolean;
  /** Names such as VIEWJOB, own and inherited; null where the version has none (before 22.2). */
  readonly granted: ReadonlySet<string> | null;
}

const WHO = 'SELECT current_user AS user_name, crdb_internal.is_admin() AS is_admin';
const ROLES = 'SELECT role_name FROM information_schema.applicable_roles';

/** @throws CockroachError */
export async function readSystemPrivileges(cockroach: Cockroach): Promise<SystemPrivileges> {
  const who = await cockroach.query(WHO);
  const user = onlyValue(who, 'user_name');
  const isAdmin = /^t/.test(onlyValue(who, 'is_admin'));
  if (!isAtLeast(cockroach.version, 22, 2)) return { user, isAdmin, granted: null };
  const roles = (await cockroach.query(ROLES)).map((row) => row['role_name']);
  const mine = new Set<string | null | undefined>([user, 'public', ...roles]);
  const grants = await cockroach.query('SHOW SYSTEM GRANTS');
  return {
    user,
    isAdmin,
    granted: new Set(grants.flatMap((row) => (mine.has(row['grantee']) ? [row['privilege_type'] ?? ''] : []))),
  };
}

/** Whether one of the privileges is there, or is not needed. True where the version cannot say: trying will tell. */
export function hasAny({ isAdmin, granted }: SystemPrivileges, ...wanted: readonly string[]): boolean {
  return isAdmin || granted === null || granted.has('ALL') || wanted.some((privilege) => granted.has(privilege));
}
