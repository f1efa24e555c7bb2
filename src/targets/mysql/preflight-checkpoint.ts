import { createFinding, onTarget, type Finding } from '../../domain/finding.js';
import type { CheckpointAccess, CheckpointSchemaState } from '../portable/checkpoint-dialect.js';
import { missingDdl } from '../portable/checkpoint-schema.js';
import { checkRows, type CheckpointPlan } from '../portable/preflight-rows.js';
import { serverName, type CheckpointTable } from '../portable/checkpoint-ddl.js';
import { attempt, isDenied } from './attempt.js';
import { createCheckpointClient } from './checkpoint-client.js';
import { mysqlCheckpointDialect } from './checkpoint-dialect.js';
import type { MysqlClient } from './client.js';
import { quoteAccount, quoteName } from './names.js';

/** Tries whether the checkpoint tables can be made and written, leaving nothing behind, and looks for rows of this run and of others. */
export async function checkCheckpoint(
  client: MysqlClient,
  plan: CheckpointPlan,
  connected: { readonly account: string; readonly writable: boolean },
): Promise<Finding[]> {
  const access: CheckpointAccess = {
    client: createCheckpointClient(client),
    dialect: mysqlCheckpointDialect,
    schema: plan.schema,
    lockTimeoutMs: 0,
  };
  const state = await mysqlCheckpointDialect.schema.read(access.client, plan.schema);
  const denied = connected.writable ? await tryCreate(client, plan.schema, state, connected.account) : [];
  if (denied.length > 0) return denied;
  const notDurable = state.tables.filter(({ durable }) => !durable).map(({ table }) => engine(plan.schema, table));
  const closed = await tryWrite(client, plan.schema, state, connected.account);
  if (closed.length > 0) return [...notDurable, ...closed];
  return [...notDurable, ...(await checkRows(access, state, plan))];
}

/** What the tables and their database need; DROP at the end of the last run. */
const PRIVILEGES = 'SELECT, INSERT, UPDATE, DELETE, CREATE, DROP';

/**
 * No DDL can be rolled back, so a table is asked for that cannot be: the server looks for the privilege first, and then finds two columns of
 * one name, or no such database. The privilege on a database that is still to be made is the same.
 */
async function tryCreate(
  client: MysqlClient,
  schema: string,
  state: CheckpointSchemaState,
  account: string,
): Promise<Finding[]> {
  if (missingDdl(mysqlCheckpointDialect, state, schema).length === 0) return [];
  const refused = await attempt(client, `CREATE TABLE ${quoteName(schema)}.failback_try (a INT, a INT)`);
  if (refused === null || !isDenied(refused)) return [];
  return [
    createFinding('blocking', 'privilege.create', {
      object: `schema ${schema}`,
      problem: `the user ${account} cannot create the checkpoint ${state.schemaExists ? 'tables' : 'database'}`,
      found: `${refused.message} (${refused.errno})`,
      remedy: onTarget(`GRANT ${PRIVILEGES} ON ${quotePattern(schema)}.* TO ${quoteAccount(account)}`),
    }),
  ];
}

/** The name of a database in GRANT is a pattern. */
function quotePattern(schema: string): string {
  return quoteName(schema.replaceAll(/[\\_%]/g, '\\$&'));
}

/** Tables that somebody else has made may be closed to us. */
async function tryWrite(
  client: MysqlClient,
  schema: string,
  state: CheckpointSchemaState,
  account: string,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { table } of state.tables) {
    const name = mysqlCheckpointDialect.tableName(schema, table);
    const statements = [
      `SELECT run FROM ${name} WHERE 1 = 0`,
      `INSERT INTO ${name} (run) SELECT NULL FROM DUAL WHERE 1 = 0`,
      `UPDATE ${name} SET run = NULL WHERE 1 = 0`,
      `DELETE FROM ${name} WHERE 1 = 0`,
    ];
    for (const statement of statements) {
      const refused = await attempt(client, `EXPLAIN ${statement}`);
      if (refused === null || !isDenied(refused)) continue;
      findings.push(
        createFinding('blocking', 'privilege.checkpoint', {
          object: `${schema}.${serverName(table)}`,
          problem: `the user ${account} cannot keep its checkpoint in this table`,
          found: `${refused.message} (${refused.errno})`,
          remedy: onTarget(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${name} TO ${quoteAccount(account)}`),
        }),
      );
      break;
    }
  }
  return findings;
}

/** Protocol rule 23. */
function engine(schema: string, table: CheckpointTable): Finding {
  return createFinding('blocking', 'checkpoint.engine', {
    object: `${schema}.${serverName(table)}`,
    problem: 'its rows are not part of a transaction, so rows and checkpoint could contradict each other',
    found: 'an engine other than InnoDB',
    remedy: onTarget(`ALTER TABLE ${mysqlCheckpointDialect.tableName(schema, table)} ENGINE = InnoDB`),
  });
}
