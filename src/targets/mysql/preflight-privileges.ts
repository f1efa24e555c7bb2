import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { attempt, isDenied } from './attempt.js';
import type { Asking } from './introspection.js';
import { targetColumn, type MappedTable } from './mapped-table.js';
import { quoteAccount, quoteColumns, quoteName, quoteTable } from './names.js';

/** Tries each kind of statement that applies rows, one by one, without touching a row or firing a trigger. */
export function checkPrivileges(client: Asking, table: MappedTable, account: string): Promise<Finding[]> {
  return tryStatements(client, table.target.name, account, statements(table));
}

/** Tries statements on one table, each under the privilege that it needs. */
export async function tryStatements(
  client: Asking,
  table: TableName,
  account: string,
  statements: readonly (readonly [privilege: string, statement: string])[],
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [privilege, statement] of statements) {
    const refused = await attempt(client, `EXPLAIN ${statement}`);
    // What it says of values is no answer: there are none yet.
    if (refused === null || refused.ofValue) continue;
    if (isDenied(refused)) findings.push(denied(table, account, privilege, `${refused.message} (${refused.errno})`));
    else
      findings.push(
        createFinding('blocking', 'table.refuses', {
          object: formatTableName(table),
          problem: `it refuses to ${privilege}`,
          found: `${refused.message} (${refused.errno})`,
          remedy: action(`Mend what the database says about ${privilege}.`),
        }),
      );
  }
  return findings;
}

function denied(table: TableName, account: string, privilege: string, found: string): Finding {
  return createFinding('blocking', `privilege.${privilege.toLowerCase()}`, {
    object: formatTableName(table),
    problem: `the user ${account} may not ${privilege}`,
    found,
    remedy: onTarget(`GRANT ${privilege} ON ${quoteTable(table)} TO ${quoteAccount(account)}`),
  });
}

const NEEDED = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const;

/**
 * Of a table that information_schema does not show: whoever has no privilege on it is not told whether it is there. Empty: it is not.
 */
export async function checkUnseen(client: Asking, table: TableName, account: string): Promise<Finding[]> {
  const refused = await attempt(client, `SELECT 1 FROM ${quoteTable(table)} LIMIT 0`);
  if (refused === null || !isDenied(refused)) return [];
  const found = `no privilege at all, so that nobody can tell whether it is there: ${refused.message} (${refused.errno})`;
  return NEEDED.map((privilege) => denied(table, account, privilege, found));
}

/**
 * EXPLAIN checks the privileges of a statement as its execution does and executes nothing. Columns that this user may not see are not among
 * those of the table, so SELECT asks for all of them.
 */
function statements({ source, target }: MappedTable): readonly (readonly [string, string])[] {
  const name = quoteTable(target.name);
  const columns = source.columns.flatMap((column) => {
    const found = targetColumn(target, column.name);
    return found && !column.virtual && !found.generated ? [found.name] : [];
  });
  if (columns.length === 0) return [];
  const sets = columns
    .filter((column) => !target.primaryKey.includes(column))
    .map((column) => `${quoteName(column)} = NULL`);
  // A table of key columns alone is never updated.
  const update = sets.length === 0 ? [] : [['UPDATE', `UPDATE ${name} SET ${sets.join(', ')} WHERE 1 = 0`] as const];
  return [
    ['SELECT', `SELECT * FROM ${name} WHERE 1 = 0`],
    [
      'INSERT',
      `INSERT INTO ${name} (${quoteColumns(columns)}) SELECT ${columns.map(() => 'NULL').join(', ')} FROM DUAL WHERE 1 = 0`,
    ],
    ...update,
    ['DELETE', `DELETE FROM ${name} WHERE 1 = 0`],
  ];
}
