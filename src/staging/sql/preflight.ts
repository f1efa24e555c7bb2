import { escapeIdentifier } from 'pg';
import { createFinding, type Finding } from '../../domain/finding.js';
import type { StageConnection } from './connection.js';
import { readSchema, STAGE_TABLES, stageTable } from './schema.js';

const TABLE_PRIVILEGES = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'] as const;

/** What a stage needs in its database, and has not. Touches nothing. */
export async function preflightStage(
  connection: StageConnection,
  schema: string,
  createSchema: boolean,
): Promise<readonly Finding[]> {
  const { client } = connection;
  const { rows } = await client.query<{ role: string; database: string }>(
    'SELECT current_user AS role, current_database() AS database',
  );
  const { role = '', database = '' } = rows[0] ?? {};
  const quotedSchema = escapeIdentifier(schema);
  const grantee = escapeIdentifier(role);
  const lacking = (object: string, privilege: string, on: string): Finding =>
    createFinding('blocking', `staging.privilege.${privilege.toLowerCase()}`, {
      object,
      problem: `the stage needs ${privilege} there`,
      found: `user ${role} has no such privilege`,
      remedy: { kind: 'statement', sql: `GRANT ${privilege} ON ${on} TO ${grantee}`, on: 'staging' },
    });

  const { exists, tables } = await readSchema(connection, schema);
  if (!exists) {
    if (!createSchema)
      return [
        createFinding('blocking', 'staging.schema', {
          object: `${database}.${schema}`,
          problem: 'the staging schema is not there, and staging.createSchema does not ask for it to be made',
          found: 'no such schema',
          remedy: { kind: 'statement', sql: `CREATE SCHEMA ${quotedSchema}`, on: 'staging' },
        }),
      ];
    const may = await has(connection, 'has_database_privilege($1, $2)', [database, 'CREATE']);
    return may ? [] : [lacking(`database ${database}`, 'CREATE', `DATABASE ${escapeIdentifier(database)}`)];
  }
  const findings: Finding[] = [];
  const needed = tables.length < STAGE_TABLES.length ? ['USAGE', 'CREATE'] : ['USAGE'];
  for (const privilege of needed) {
    if (!(await has(connection, 'has_schema_privilege($1, $2)', [schema, privilege])))
      findings.push(lacking(`schema ${schema}`, privilege, `SCHEMA ${quotedSchema}`));
  }
  // Without USAGE the tables cannot be asked about by name.
  if (findings.some(({ id }) => id === 'staging.privilege.usage')) return findings;
  for (const table of tables) {
    const name = stageTable(schema, table);
    for (const privilege of TABLE_PRIVILEGES) {
      if (!(await has(connection, 'has_table_privilege($1, $2)', [name, privilege])))
        findings.push(lacking(`${schema}.${table}`, privilege, `TABLE ${name}`));
    }
  }
  return findings;
}

async function has({ client }: StageConnection, asked: string, values: readonly string[]): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean }>(`SELECT ${asked} AS may`, [...values]);
  return rows[0]?.may === true;
}
