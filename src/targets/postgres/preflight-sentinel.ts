import type pg from 'pg';
import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { findSentinelProblems } from '../../domain/sentinel.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { describeTables } from './introspection.js';
import { quoteTable } from './names.js';
import { tryStatements } from './preflight-privileges.js';

/** Checks that the drain's sentinel row can be written, read and deleted here. `table`: the catalogue's spelling; null: missing. */
export async function checkSentinel(
  client: pg.Client,
  wanted: TableName,
  role: string,
): Promise<{ readonly findings: readonly Finding[]; readonly table: TableName | null }> {
  const found = (await describeTables(client, [wanted])).get(formatTableName(wanted)) ?? null;
  if (found === null) return { findings: [missing(wanted)], table: null };
  const problems =
    found.kind === 'table' || found.kind === 'partitioned table'
      ? findSentinelProblems({
          columns: found.columns.map(({ name, baseType, notNull, hasDefault, generated, identity }) => ({
            name,
            type: baseType,
            required: notNull && !hasDefault && !generated && identity === null,
          })),
          primaryKey: found.primaryKey,
        })
      : [`it is a ${found.kind}`];
  const fits = problems.length === 0;
  const name = quoteTable(found.name);
  return {
    findings: [
      ...(fits ? [] : [unfit(found.name, problems)]),
      ...(await tryStatements(client, found.name, role, [
        ['SELECT', `SELECT ${fits ? 'id' : '1'} FROM ${name} WHERE false`],
        ['INSERT', `INSERT INTO ${name} ${fits ? `(id, written_at) VALUES ('', 'epoch')` : 'DEFAULT VALUES'}`],
        ['DELETE', `DELETE FROM ${name}`],
      ])),
    ],
    table: found.name,
  };
}

function missing(name: TableName): Finding {
  return createFinding('blocking', 'sentinel.missing', {
    object: formatTableName(name),
    problem: "the target has no such table for the drain's sentinel row (drain.sentinel)",
    found: 'no match',
    remedy: onTarget(`CREATE TABLE ${quoteTable(name)} (id text PRIMARY KEY, written_at timestamptz NOT NULL)`),
  });
}

function unfit(name: TableName, problems: readonly string[]): Finding {
  return createFinding('blocking', 'sentinel.unfit', {
    object: formatTableName(name),
    problem: "on the target it cannot take the drain's sentinel row (drain.sentinel)",
    found: problems.join('; '),
    remedy: action('Name a table of its own: id text PRIMARY KEY, written_at timestamptz NOT NULL.'),
  });
}
