import { createFinding, onSource, type Finding } from '../domain/finding.js';
import { formatTableName, type TableName } from '../domain/table.js';
import type { Cockroach } from './client.js';
import { CockroachError } from './errors.js';
import { quoteIdentifier, quoteTable } from './quoting.js';

/** Tries to read each table. `so` says what cannot be done without. @throws CockroachError when it cannot be asked */
export async function trySelect(
  cockroach: Cockroach,
  names: readonly TableName[],
  user: string,
  so: string,
): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const name of names) {
    try {
      await cockroach.query(`SELECT 1 FROM ${quoteTable(name)} LIMIT 1`);
    } catch (cause) {
      if (!(cause instanceof CockroachError) || cause.kind !== 'privilege') throw cause;
      findings.push(
        createFinding('blocking', 'privilege.select', {
          object: formatTableName(name),
          problem: `user ${user} may not read it, so ${so}`,
          found: cause.message,
          remedy: onSource(`GRANT SELECT ON TABLE ${quoteTable(name)} TO ${quoteIdentifier(user)};`),
        }),
      );
    }
  }
  return findings;
}
