import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { findSentinelProblems } from '../../domain/sentinel.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { describeTables, type Asking } from './introspection.js';
import { quoteTable } from './names.js';
import { checkUnseen, tryStatements } from './preflight-privileges.js';
import type { TargetColumn } from './table-shape.js';

/** Checks that the drain's sentinel row can be written, read and deleted here. `table`: the catalogue's spelling; null: missing. */
export async function checkSentinel(
  client: Asking,
  wanted: TableName,
  account: string,
): Promise<{ readonly findings: readonly Finding[]; readonly table: TableName | null }> {
  const found = (await describeTables(client, [wanted])).get(formatTableName(wanted)) ?? null;
  if (found === null) {
    const unseen = await checkUnseen(client, wanted, account);
    return { findings: unseen.length > 0 ? unseen : [missing(wanted)], table: null };
  }
  const problems =
    found.kind === 'table'
      ? findSentinelProblems({
          columns: found.columns.map((column) => ({
            name: column.name,
            type: sentinelType(column),
            required: column.notNull && !column.hasDefault && !column.generated && !column.autoIncrement,
          })),
          primaryKey: found.primaryKey,
        })
      : [`it is a ${found.kind}`];
  const fits = problems.length === 0;
  const name = quoteTable(found.name);
  return {
    findings: [
      ...(fits ? [] : [unfit(found.name, problems)]),
      ...(await tryStatements(client, found.name, account, [
        ['SELECT', `SELECT 1 FROM ${name} WHERE 1 = 0`],
        ['INSERT', `INSERT INTO ${name} ${fits ? '(id, written_at) ' : ''}VALUES (${fits ? 'NULL, NULL' : ''})`],
        ['DELETE', `DELETE FROM ${name} WHERE 1 = 0`],
      ])),
    ],
    table: found.name,
  };
}

/** In the words that both sides are checked by: what holds the time here holds the one that is meant. */
function sentinelType({ base, type, length }: TargetColumn): string {
  if (base === 'timestamp' || base === 'datetime') return 'timestamptz';
  return base === 'varchar' || base === 'char' ? `varchar(${length ?? 0})` : type;
}

function missing(name: TableName): Finding {
  return createFinding('blocking', 'sentinel.missing', {
    object: formatTableName(name),
    problem: "the target has no such table for the drain's sentinel row (drain.sentinel)",
    found: 'no match',
    remedy: onTarget(`CREATE TABLE ${quoteTable(name)} (id varchar(64) PRIMARY KEY, written_at timestamp(6) NOT NULL)`),
  });
}

function unfit(name: TableName, problems: readonly string[]): Finding {
  return createFinding('blocking', 'sentinel.unfit', {
    object: formatTableName(name),
    problem: "on the target it cannot take the drain's sentinel row (drain.sentinel)",
    found: problems.join('; '),
    remedy: action('Name a table of its own: id varchar(64) PRIMARY KEY, written_at timestamp(6) NOT NULL.'),
  });
}
