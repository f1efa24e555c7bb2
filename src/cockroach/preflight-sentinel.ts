import { action, createFinding, onSource, type Finding } from '../domain/finding.js';
import { findSentinelProblems } from '../domain/sentinel.js';
import { formatTableName, type TableName } from '../domain/table.js';
import type { Cockroach } from './client.js';
import { describeTable } from './introspect.js';
import { trySelect } from './preflight-select.js';
import { quoteTable } from './quoting.js';

/** Checks that the drain's sentinel row can come here and be seen. @throws CockroachError when it cannot be asked */
export async function checkSentinel(
  cockroach: Cockroach,
  name: TableName,
  { database, user }: { readonly database: string; readonly user: string },
): Promise<readonly Finding[]> {
  const table = await describeTable(cockroach, name);
  if (table === null) return [missing(name, database)];
  const problems = findSentinelProblems(table);
  return [
    ...(problems.length === 0 ? [] : [unfit(name, problems)]),
    ...(await trySelect(cockroach, [name], user, 'the sentinel row cannot be seen')),
  ];
}

function missing(name: TableName, database: string): Finding {
  return createFinding('blocking', 'sentinel.missing', {
    object: formatTableName(name),
    problem: `database ${database} has no such table for the drain's sentinel row (drain.sentinel)`,
    found: 'nothing',
    remedy: onSource(`CREATE TABLE ${quoteTable(name)} (id STRING PRIMARY KEY, written_at TIMESTAMPTZ NOT NULL);`),
  });
}

function unfit(name: TableName, problems: readonly string[]): Finding {
  return createFinding('blocking', 'sentinel.unfit', {
    object: formatTableName(name),
    problem: "on CockroachDB it cannot take the drain's sentinel row (drain.sentinel)",
    found: problems.join('; '),
    remedy: action('Name a table of its own: id STRING PRIMARY KEY, written_at TIMESTAMPTZ NOT NULL.'),
  });
}
