import { escapeIdentifier } from 'pg';
import type pg from 'pg';
import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { targetColumn, type MappedTable } from './mapped-table.js';
import { quoteColumns, quoteTable } from './names.js';
import { attempt } from './transaction.js';

const DENIED = '42501';

/** Tries whether the role may switch triggers and foreign keys off for a transaction, as logical replication does. */
export async function mayUseReplicationRole(client: pg.Client): Promise<boolean> {
  const refused = await attempt(client, [`SET LOCAL session_replication_role = 'replica'`]);
  return refused === null;
}

/** A note or a warning that the role may not switch triggers and foreign keys off; `wanted` by the plan. */
export function replicationRoleRefused(role: string): Finding {
  return createFinding('note', 'privilege.replication-role', {
    object: `role ${role}`,
    problem: 'it may not switch triggers and foreign keys off, so they stay on while rows are applied, which is slower',
    found: 'SET session_replication_role is refused',
    remedy: onTarget(`GRANT SET ON PARAMETER session_replication_role TO ${escapeIdentifier(role)}`),
  });
}

/** Tries each kind of statement that applies rows, one by one, without touching a row or firing a trigger. */
export async function checkPrivileges(client: pg.Client, table: MappedTable, role: string): Promise<Finding[]> {
  return tryStatements(client, table.target.name, role, statements(table));
}

/** Tries statements on one table, each under the privilege that it needs. */
export async function tryStatements(
  client: pg.Client,
  table: TableName,
  role: string,
  statements: readonly (readonly [privilege: string, statement: string])[],
): Promise<Finding[]> {
  const name = quoteTable(table);
  const grantee = escapeIdentifier(role);
  const { rows } = await client.query<{ usable: boolean }>(MAY_USE_SCHEMA, [table.schema]);
  if (!rows[0]?.usable) return [schemaDenied(table, role)];
  const findings: Finding[] = [];
  for (const [privilege, statement] of statements) {
    const refused = await attempt(client, [`SET LOCAL row_security = on`, `EXPLAIN ${statement}`]);
    if (refused === null) continue;
    const denied = refused.code === DENIED;
    findings.push(
      createFinding('blocking', denied ? `privilege.${privilege.toLowerCase()}` : 'table.refuses', {
        object: formatTableName(table),
        problem: denied ? `the role ${role} may not ${privilege}` : `it refuses to ${privilege}`,
        found: `${refused.message} (${refused.code})`,
        remedy: denied
          ? onTarget(`GRANT ${privilege} ON ${name} TO ${grantee}`)
          : action(`Mend what the database says about ${privilege}.`),
      }),
    );
  }
  return findings;
}

/** $1 = schema */
const MAY_USE_SCHEMA = `SELECT has_schema_privilege(n.oid, 'USAGE') AS usable FROM pg_namespace n WHERE n.nspname = $1`;

function schemaDenied({ schema }: TableName, role: string): Finding {
  return createFinding('blocking', 'privilege.usage', {
    object: `schema ${schema}`,
    problem: `the role ${role} may not use it`,
    found: 'no USAGE',
    remedy: onTarget(`GRANT USAGE ON SCHEMA ${escapeIdentifier(schema)} TO ${escapeIdentifier(role)}`),
  });
}

/**
 * EXPLAIN checks the privileges of a statement as its execution does and executes nothing: WHERE false alone would still fire
 * the triggers of a statement.
 */
function statements({ source, target }: MappedTable): readonly (readonly [string, string])[] {
  const name = quoteTable(target.name);
  const columns = source.columns.flatMap((column) => {
    const found = targetColumn(target, column.name);
    return found && !column.virtual && !found.generated ? [found] : [];
  });
  if (columns.length === 0) return [];
  const list = quoteColumns(columns.map((column) => column.name));
  const nulls = columns.map((column) => `NULL::${column.type}`).join(', ');
  const sets = columns
    .filter((column) => !target.primaryKey.includes(column.name) && column.identity !== 'always')
    .map((column) => `${escapeIdentifier(column.name)} = NULL`);
  // A table of key columns alone is never updated.
  const update = sets.length === 0 ? [] : [['UPDATE', `UPDATE ${name} SET ${sets.join(', ')}`] as const];
  return [
    ['SELECT', `SELECT ${list} FROM ${name} WHERE false`],
    ['INSERT', `INSERT INTO ${name} (${list}) OVERRIDING SYSTEM VALUE SELECT ${nulls} WHERE false`],
    ...update,
    ['DELETE', `DELETE FROM ${name}`],
  ];
}
