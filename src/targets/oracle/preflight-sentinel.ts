import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { findSentinelProblems } from '../../domain/sentinel.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import type { Asking } from './attempt.js';
import { describeTables } from './introspection.js';
import { quoteName, quoteTable } from './names.js';
import { tryStatements } from './preflight-privileges.js';
import type { TargetColumn } from './table-shape.js';

/** Checks that the drain's sentinel row can be written, read and deleted here. `table`: the catalogue's spelling; null: missing. */
export async function checkSentinel(
  client: Asking,
  wanted: TableName,
  user: string,
): Promise<{ readonly findings: readonly Finding[]; readonly table: TableName | null }> {
  const found = (await describeTables(client, [wanted])).get(formatTableName(wanted)) ?? null;
  if (found === null) {
    return { findings: [missing(wanted, user)], table: null };
  }
  const problems =
    found.kind === 'table'
      ? findSentinelProblems({
          columns: found.columns.map((column) => ({
            name: plainName(column.name),
            type: sentinelType(column),
            required: column.notNull && !column.hasDefault && !column.generated && column.identity === null,
          })),
          primaryKey: found.primaryKey.map(plainName),
        })
      : [`it is a ${found.kind}`];
  const fits = problems.length === 0;
  const name = quoteTable(found.name);
  return {
    findings: [
      ...(fits ? [] : [unfit(found.name, problems)]),
      ...(await tryStatements(client, found.name, user, [
        ['SELECT', `SELECT 1 FROM ${name} WHERE 1 = 0`],
        ...(fits
          ? [['INSERT', `INSERT INTO ${name} ("ID", "WRITTEN_AT") SELECT NULL, NULL FROM DUAL WHERE 1 = 0`] as const]
          : []),
        ['DELETE', `DELETE FROM ${name} WHERE 1 = 0`],
      ])),
    ],
    table: found.name,
  };
}

/** In the words that both sides are checked by: what holds the time here holds the one that is meant. */
function sentinelType({ kind, declared, length }: TargetColumn): string {
  if (kind.startsWith('timestamp') || kind === 'date') return 'timestamptz';
  return kind === 'varchar' || kind === 'nvarchar' ? `varchar(${length ?? 0})` : declared;
}

/** As it is written without quotation marks; one that needs them is another name. */
function plainName(name: string): string {
  return name === name.toUpperCase() ? name.toLowerCase() : `"${name}"`;
}

function missing(name: TableName, user: string): Finding {
  const folded = quoteTable({ schema: name.schema.toUpperCase(), table: name.table.toUpperCase() });
  return createFinding('blocking', 'sentinel.missing', {
    object: formatTableName(name),
    problem: "the target has no such table for the drain's sentinel row (drain.sentinel), or the user may not see it",
    found: 'no match',
    remedy: onTarget(
      `CREATE TABLE ${folded} (id VARCHAR2(64) PRIMARY KEY, written_at TIMESTAMP(6) WITH TIME ZONE NOT NULL)${name.schema.toUpperCase() === user.toUpperCase() ? '' : `; GRANT SELECT, INSERT, DELETE ON ${folded} TO ${quoteName(user)}`}`,
    ),
  });
}

function unfit(name: TableName, problems: readonly string[]): Finding {
  return createFinding('blocking', 'sentinel.unfit', {
    object: formatTableName(name),
    problem: "on the target it cannot take the drain's sentinel row (drain.sentinel)",
    found: problems.join('; '),
    remedy: action(
      'Name a table of its own: id VARCHAR2(64) PRIMARY KEY, written_at TIMESTAMP(6) WITH TIME ZONE NOT NULL.',
    ),
  });
}
