import { createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { serverName, type CheckpointTable } from '../portable/checkpoint-ddl.js';
import type { CheckpointAccess, CheckpointSchemaState } from '../portable/checkpoint-dialect.js';
import { missingDdl } from '../portable/checkpoint-schema.js';
import { checkRows, type CheckpointPlan } from '../portable/preflight-rows.js';
import { attempt, isDenied, isReadOnly, wordsOf, type Asking } from './attempt.js';
import { createCheckpointClient } from './checkpoint-client.js';
import { oracleCheckpointDialect } from './checkpoint-dialect.js';
import type { OracleClient } from './client.js';
import { quoteName } from './names.js';
import type { Connected } from './preflight-server.js';

/** Whether the checkpoint tables can be made and written, leaving nothing behind; and rows of this run and of others. */
export async function checkCheckpoint(
  client: OracleClient,
  plan: CheckpointPlan,
  connected: Connected,
): Promise<Finding[]> {
  const access: CheckpointAccess = {
    client: createCheckpointClient(client),
    dialect: oracleCheckpointDialect,
    schema: plan.schema,
    lockTimeoutMs: 0,
  };
  const state = await oracleCheckpointDialect.schema.read(access.client, plan.schema);
  const making = missingDdl(oracleCheckpointDialect, state, plan.schema).length > 0;
  const findings = [
    ...(making ? mayCreate(plan.schema, connected) : []),
    ...(making ? await mayFill(client, plan.schema, connected) : []),
    ...state.tables.filter(({ durable }) => !durable).map(({ table }) => temporary(plan.schema, table)),
    ...(await tryWrite(client, plan.schema, state, connected.user)),
    ...(await mayEnd(client, connected)),
  ];
  if (findings.some(({ severity }) => severity === 'blocking')) return findings;
  return [...findings, ...(await checkRows(access, state, plan))];
}

/** DDL commits, so it is read, not tried: SESSION_PRIVS has what this session may, by roles too. */
function mayCreate(schema: string, { user, privileges }: Connected): Finding[] {
  const isOwn = schema === user;
  const [needed, remedy] = isOwn
    ? ['CREATE TABLE', 'CREATE TABLE']
    : ['CREATE ANY TABLE', 'CREATE ANY TABLE, COMMENT ANY TABLE'];
  if (privileges.has(needed)) return [];
  return [
    createFinding('blocking', 'privilege.create', {
      object: `schema ${schema}`,
      problem: `the user ${user} cannot create the checkpoint tables`,
      found: `no privilege ${needed}`,
      remedy: onTarget(`GRANT ${remedy} TO ${quoteName(user)}`),
    }),
  ];
}

/** A table of nobody's quota is made, and refuses its first row (ORA-01950). */
async function mayFill(client: Asking, schema: string, { user, privileges }: Connected): Promise<Finding[]> {
  if (schema !== user || privileges.has('UNLIMITED TABLESPACE')) return [];
  const { rows } = await client.execute(QUOTA);
  const tablespace = rows[0]?.tablespace ?? '';
  const most = rows[0]?.most ?? null;
  // -1: as much as there is.
  if (most !== null && Number(most) !== 0) return [];
  return [
    createFinding('blocking', 'privilege.quota', {
      object: `schema ${schema}`,
      problem: `the user ${user} has no room for the checkpoint tables in its tablespace`,
      found: `no quota on ${tablespace}`,
      remedy: onTarget(`ALTER USER ${quoteName(user)} QUOTA 100M ON ${quoteName(tablespace)}`),
    }),
  ];
}

const QUOTA = `
SELECT u.default_tablespace AS tablespace, q.max_bytes AS most
FROM user_users u LEFT JOIN user_ts_quotas q ON q.tablespace_name = u.default_tablespace`;

/** Tables that somebody else has made may be closed to us. */
async function tryWrite(
  client: Asking,
  schema: string,
  state: CheckpointSchemaState,
  user: string,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { table } of state.tables) {
    const name = oracleCheckpointDialect.tableName(schema, table);
    const statements = [
      `SELECT run FROM ${name} WHERE 1 = 0`,
      `INSERT INTO ${name} (run) SELECT NULL FROM DUAL WHERE 1 = 0`,
      `UPDATE ${name} SET run = NULL WHERE 1 = 0`,
      `DELETE FROM ${name} WHERE 1 = 0`,
    ];
    for (const statement of statements) {
      const refused = await attempt(client, `EXPLAIN PLAN FOR ${statement}`);
      if (refused === null || isReadOnly(refused) || !isDenied(refused)) continue;
      findings.push(
        createFinding('blocking', 'privilege.checkpoint', {
          object: `${schema}.${serverName(table).toUpperCase()}`,
          problem: `the user ${user} cannot keep its checkpoint in this table`,
          found: wordsOf(refused),
          remedy: onTarget(`GRANT SELECT, INSERT, UPDATE, DELETE ON ${name} TO ${quoteName(user)}`),
        }),
      );
      break;
    }
  }
  return findings;
}

/** Protocol rule 23. */
function temporary(schema: string, table: CheckpointTable): Finding {
  const name = oracleCheckpointDialect.tableName(schema, table);
  return createFinding('blocking', 'checkpoint.temporary', {
    object: `${schema}.${serverName(table).toUpperCase()}`,
    problem: 'its rows end with the session or the transaction, and the checkpoint must not',
    found: 'a temporary table',
    remedy: onTarget(`DROP TABLE ${name}`),
  });
}

/** What a takeover needs to end the session of a frozen worker (protocol rule 24): to see it by its identifier, and to kill it. */
async function mayEnd(client: Asking, { user, privileges }: Connected): Promise<Finding[]> {
  const lacking: string[] = [];
  for (const [view, object] of SEEN) {
    const refused = await attempt(client, `SELECT 1 AS one FROM ${view} WHERE 1 = 0`);
    if (refused !== null && isDenied(refused)) lacking.push(`GRANT SELECT ON "SYS"."${object}" TO ${quoteName(user)}`);
  }
  if (!privileges.has('ALTER SYSTEM')) lacking.push(`GRANT ALTER SYSTEM TO ${quoteName(user)}`);
  if (lacking.length === 0) return [];
  return [
    createFinding('warning', 'privilege.end-session', {
      object: `user ${user}`,
      problem:
        'a takeover cannot end the session of a worker that is frozen in a transaction, and waits until Oracle does (MAX_IDLE_BLOCKER_TIME, in minutes, does it for everybody without these privileges)',
      found: `${lacking.length} of 3 privileges lack`,
      remedy: onTarget(lacking.join('; ')),
    }),
  ];
}

const SEEN = [
  ['gv$session', 'GV_$SESSION'],
  ['gv$locked_object', 'GV_$LOCKED_OBJECT'],
] as const;
