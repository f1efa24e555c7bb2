import { action, createFinding, type Finding } from '../../domain/finding.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import type { CheckpointAccess, CheckpointSchemaState } from './checkpoint-dialect.js';
import { readOtherClaims } from './claims.js';

/** What a run would write into the checkpoint schema. */
export interface CheckpointPlan {
  readonly schema: string;
  readonly run: string;
  readonly streams: readonly string[];
  readonly tables: readonly TableName[];
}

/** What others, or an earlier start, have in the checkpoint tables that are there. */
export async function checkRows(
  access: CheckpointAccess,
  state: CheckpointSchemaState,
  plan: CheckpointPlan,
): Promise<Finding[]> {
  const names = new Set(state.tables.map(({ table }) => table));
  return [
    ...(names.has('claim') ? await claimed(access, plan) : []),
    ...(names.has('checkpoint') ? await existingRows(access, plan) : []),
  ];
}

/** Protocol rule 33. */
async function claimed(access: CheckpointAccess, plan: CheckpointPlan): Promise<Finding[]> {
  const claims = await readOtherClaims(access, plan.run, plan.tables);
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
async function existingRows({ client, dialect, schema }: CheckpointAccess, plan: CheckpointPlan): Promise<Finding[]> {
  /** streams */
  const rowsOfStreams = `
    SELECT stream AS stream, run AS run, ${dialect.hlcText('applied')} AS applied FROM ${dialect.tableName(schema, 'checkpoint')}
    WHERE stream IN (${plan.streams.map(() => '?').join(', ')}) ORDER BY 1`;
  const { rows } = await client.query(rowsOfStreams, plan.streams);
  return rows.map((row) => {
    const [stream = '', run = '', applied = ''] = [row['stream'], row['run'], row['applied']].map((one) => one ?? '');
    const isOwn = run === plan.run;
    return createFinding(isOwn ? 'note' : 'blocking', 'checkpoint.exists', {
      object: `stream ${stream}`,
      problem: isOwn
        ? 'an earlier start of this run has left its checkpoint, and it is continued from there'
        : 'the checkpoint row of this stream belongs to another run',
      found: `run ${run}, applied up to ${applied}`,
      remedy: action(isOwn ? 'Nothing to do.' : `Finish or roll back ${run}, or choose another workflow id.`),
    });
  });
}
