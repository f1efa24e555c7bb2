import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { attempt, isDenied, isReadOnly, wordsOf, type Asking } from './attempt.js';
import { targetColumn, type MappedTable } from './mapped-table.js';
import { quoteName, quoteTable } from './names.js';

/** Tries each kind of statement that applies rows, one by one, without touching a row or firing a trigger. */
export async function checkPrivileges(client: Asking, table: MappedTable, user: string): Promise<Finding[]> {
  return [
    ...(await tryStatements(client, table.target.name, user, statements(table))),
    ...(await tryFlashback(client, table.target.name, user)),
  ];
}

/**
 * Tries statements on one table, each under the privilege that it needs. EXPLAIN PLAN asks for the privileges of the statement and runs none of
 * it; a statement that finds no row would still fire the triggers of statements. Its rows are in a temporary table of the session's own.
 */
export async function tryStatements(
  client: Asking,
  table: TableName,
  user: string,
  statements: readonly (readonly [privilege: string, statement: string])[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [privilege, statement] of statements) {
    const refused = await attempt(client, `EXPLAIN PLAN FOR ${statement}`);
    // A database that takes no writes takes no plan either: another finding says so.
    if (refused === null || isReadOnly(refused)) continue;
    if (isDenied(refused)) findings.push(denied(table, user, privilege, wordsOf(refused)));
    else
      findings.push(
        createFinding('blocking', 'table.refuses', {
          object: formatTableName(table),
          problem: `it refuses to ${privilege}`,
          found: wordsOf(refused),
          remedy: action(`Mend what the database says about ${privilege}.`),
        }),
      );
  }
  return findings;
}

function denied(table: TableName, user: string, privilege: string, found: string): Finding {
  return createFinding('blocking', `privilege.${privilege.toLowerCase()}`, {
    object: formatTableName(table),
    problem: `the user ${user} may not ${privilege}`,
    found,
    remedy: onTarget(`GRANT ${privilege} ON ${quoteTable(table)} TO ${quoteName(user)}`),
  });
}

/** Our comparison reads one moment in a read-only transaction, which asks for nothing but SELECT. */
async function tryFlashback(client: Asking, table: TableName, user: string): Promise<Finding[]> {
  const refused = await attempt(
    client,
    `EXPLAIN PLAN FOR SELECT 1 FROM ${quoteTable(table)} AS OF TIMESTAMP SYSTIMESTAMP`,
  );
  if (refused === null || !isDenied(refused)) return [];
  return [
    createFinding('note', 'privilege.flashback', {
      object: formatTableName(table),
      problem: `the user ${user} may not read the past of this table: Failback compares without it, tools that read AS OF do not`,
      found: wordsOf(refused),
      remedy: onTarget(`GRANT FLASHBACK ON ${quoteTable(table)} TO ${quoteName(user)}`),
    }),
  ];
}

/**
 * Of a table that the catalogue does not show: whoever has no privilege on it is not told whether it is there (ORA-00942 says both).
 */
export function checkUnseen(table: TableName, user: string): Finding {
  // So it is spelled where nobody has quoted it.
  const name = { schema: table.schema.toUpperCase(), table: table.table.toUpperCase() };
  const isOwn = name.schema === user.toUpperCase();
  return createFinding('blocking', 'table.missing', {
    object: formatTableName(table),
    problem: isOwn
      ? 'the target has no such table, or several whose names differ in case alone'
      : `the target has no such table, or the user ${user} has no privilege on it`,
    found: 'no match in ALL_TABLES',
    remedy: isOwn
      ? action('Create it on the target, or name another table in the plan.')
      : onTarget(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${quoteTable(name)} TO ${quoteName(user)}`),
  });
}

function statements({ source, target }: MappedTable): readonly (readonly [string, string])[] {
  const name = quoteTable(target.name);
  const columns = source.columns.flatMap((column) => {
    const found = targetColumn(target, column.name);
    return found && !column.virtual && !found.generated && found.identity !== 'always' ? [found.name] : [];
  });
  if (columns.length === 0) return [];
  const names = columns.map(quoteName);
  const sets = columns
    .filter((column) => !target.primaryKey.includes(column))
    .map((column) => `${quoteName(column)} = NULL`);
  // A table of key columns alone is never updated.
  const update = sets.length === 0 ? [] : [['UPDATE', `UPDATE ${name} SET ${sets.join(', ')} WHERE 1 = 0`] as const];
  return [
    ['SELECT', `SELECT ${names.join(', ')} FROM ${name} WHERE 1 = 0`],
    [
      'INSERT',
      `INSERT INTO ${name} (${names.join(', ')}) SELECT ${names.map(() => 'NULL').join(', ')} FROM DUAL WHERE 1 = 0`,
    ],
    ...update,
    ['DELETE', `DELETE FROM ${name} WHERE 1 = 0`],
  ];
}
