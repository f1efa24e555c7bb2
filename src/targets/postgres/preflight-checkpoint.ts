import { escapeIdentifier } from 'pg';
import type pg from 'pg';
import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { missingDdl, readCheckpointSchema, type CheckpointSchemaState } from './checkpoint-schema.js';
import { readOtherClaims } from './claims.js';
import { attempt } from './transaction.js';

export interface CheckpointPlan {
  readonly schema: string;
  readonly run: string;
  readonly streams: readonly string[];
  readonly tables: readonly TableName[];
}

/** Tries to create the checkpoint schema, leaving nothing behind, and looks for rows of this run and of others. */
export async function checkCheckpoint(
  client: pg.Client,
  plan: CheckpointPlan,
  connected: { readonly role: string; readonly database: string; readonly writable: boolean },
): Promise<Finding[]> {
  const state = await readCheckpointSchema(client, plan.schema);
  const created = !connected.writable ? [] : await tryCreate(client, plan.schema, state, connected);
  if (created.length > 0) return created;
  const notDurable = state.tables.filter(({ durable }) => !durable).map(({ table }) => unlogged(plan.schema, table));
  const denied = await tryWrite(client, plan.schema, state, connected.role);
  if (denied.length > 0) return [...notDurable, ...denied];
  const names = new Set(state.tables.map(({ table }) => table));
  return [
    ...notDurable,
    ...(names.has('claim') ? await claimed(client, plan) : []),
    ...(names.has('checkpoint') ? await existingRows(client, plan) : []),
  ];
}

async function tryCreate(
  client: pg.Client,
  schema: string,
  state: CheckpointSchemaState,
  { role, database }: { readonly role: string; readonly database: string },
): Promise<Finding[]> {
  const statements = missingDdl(state, schema);
  const refused = statements.length === 0 ? null : await attempt(client, statements);
  if (refused === null) return [];
  const grantee = escapeIdentifier(role);
  return [
    createFinding('blocking', 'privilege.create', {
      object: `schema ${schema}`,
      problem: `the role ${role} cannot create the checkpoint ${state.schemaExists ? 'tables' : 'schema'}`,
      found: `${refused.message} (${refused.code})`,
      remedy: onTarget(
        state.schemaExists
          ? `GRANT USAGE, CREATE ON SCHEMA ${escapeIdentifier(schema)} TO ${grantee}`
          : `GRANT CREATE ON DATABASE ${escapeIdentifier(database)} TO ${grantee}`,
      ),
    }),
  ];
}

/** Tables that somebody else has made may be closed to us. */
async function tryWrite(
  client: pg.Client,
  schema: string,
  state: CheckpointSchemaState,
  role: string,
): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const { table } of state.tables) {
    const name = `${escapeIdentifier(schema)}.${table}`;
    const statements = [
      `EXPLAIN INSERT INTO ${name} (run) SELECT run FROM ${name}`,
      `EXPLAIN UPDATE ${name} SET run = run`,
      `EXPLAIN DELETE FROM ${name} WHERE run = ''`,
    ];
    const refused = await attempt(client, statements);
    if (refused === null) continue;
    findings.push(
      createFinding('blocking', 'privilege.checkpoint', {
        object: `${schema}.${table}`,
        problem: `the role ${role} cannot keep its checkpoint in this table`,
        found: `${refused.message} (${refused.code})`,
        remedy: onTarget(
          `GRANT USAGE ON SCHEMA ${escapeIdentifier(schema)} TO ${escapeIdentifier(role)}; GRANT SELECT, INSERT, UPDATE, DELETE ON ${name} TO ${escapeIdentifier(role)}`,
        ),
      }),
    );
  }
  return findings;
}

/** Protocol rule 23. */
function unlogged(schema: string, table: string): Finding {
  const name = `${escapeIdentifier(schema)}.${table}`;
  return createFinding('blocking', 'checkpoint.unlogged', {
    object: `${schema}.${table}`,
    problem: 'a crash of the target would empty it',
    found: 'not a logged table',
    remedy: onTarget(`ALTER TABLE ${name} SET LOGGED`),
  });
}

/** Protocol rule 33. */
async function claimed(client: pg.Client, plan: CheckpointPlan): Promise<Finding[]> {
  const claims = await readOtherClaims(client, plan.schema, plan.run, plan.tables);
  return claims.map(({ table, run }) =>
    createFinding('blocking', 'table.claimed', {
      object: formatTableName(table),
      problem: 'another run writes to this table',
      found: `claimed by ${run}`,
      remedy: action(`Finish or roll back ${run}, or start it again and roll it back where it was terminated.`),
    }),
  );
}

/** Protocol rule 1: a row that is there is continued or refused. */
async function existingRows(client: pg.Client, plan: CheckpointPlan): Promise<Finding[]> {
  /** $1 = streams */
  const ROWS_OF_STREAMS = `
    SELECT stream, run, applied::text AS applied FROM ${escapeIdentifier(plan.schema)}.checkpoint
    WHERE stream = ANY ($1::text[]) ORDER BY stream`;
  const { rows } = await client.query<{ stream: string; run: string; applied: string }>(ROWS_OF_STREAMS, [
    plan.streams,
  ]);
  return rows.map(({ stream, run, applied }) =>
    createFinding(run === plan.run ? 'note' : 'blocking', 'checkpoint.exists', {
      object: `stream ${stream}`,
      problem:
        run === plan.run
          ? 'an earlier start of this run has left its checkpoint, and it is continued from there'
          : 'the checkpoint row of this stream belongs to another run',
      found: `run ${run}, applied up to ${applied}`,
      remedy: action(
        run === plan.run ? 'Nothing to do.' : `Finish or roll back ${run}, or choose another workflow id.`,
      ),
    }),
  );
}
