import type { TestContext } from 'node:test';
import { hlcOf, type Hlc } from '../../../src/domain/hlc.js';
import type { StreamPlan } from '../../../src/domain/table.js';
import { createCheckpointGroups } from '../../../src/targets/portable/checkpoint-groups.js';
import { createCheckpointRow, type NamedCheckpointRow } from '../../../src/targets/portable/checkpoint-row.js';
import type { CheckpointGroups } from '../../../src/targets/session/parts.js';
import { takeWithin } from '../../../src/targets/session/takeover.js';
import type { ApplyMutation, ApplySessionOptions, TakenCheckpoint } from '../../../src/targets/target.js';
import type { Backend, ConnectOptions, Session } from './backends.js';

export const STREAM = 'orders';
export const TOKEN = 'first';

/** A session that applies a stream, as far as its checkpoint goes. */
export interface Applier extends Session {
  readonly row: NamedCheckpointRow;
  readonly groups: CheckpointGroups;
  rowOf(group: number): NamedCheckpointRow;
  takeOver(token: string): Promise<TakenCheckpoint | null>;
}

export interface Fixture extends Applier {
  another(options?: ConnectOptions): Promise<Applier>;
}

/** Checkpoint tables with the stream's row, at `at(0)`, under the token `TOKEN`. */
export async function createFixture(t: Pick<TestContext, 'after'>, backend: Backend): Promise<Fixture> {
  const schema = backend.newSchema();
  const session = await backend.connect(t, schema);
  await session.store.ensureSchema();
  await session.store.insertOnce({
    stream: STREAM,
    run: 'run',
    cursor: at(0),
    origin: { clusterId: 'c', tableIds: {} },
  });
  await session.rows(`UPDATE {checkpoint} SET token = '${TOKEN}'`);
  return {
    ...applierOf(session),
    another: async (options) => applierOf(await backend.connect(t, schema, options)),
  };
}

function applierOf(session: Session): Applier {
  const row = createCheckpointRow(session, STREAM);
  const groups = createCheckpointGroups(session, STREAM, row);
  const options = { stream: STREAM, lockTimeoutMs: session.lockTimeoutMs } as ApplySessionOptions;
  return {
    ...session,
    row,
    groups,
    rowOf: (group) => createCheckpointRow(session, STREAM, group),
    takeOver: (token) => takeWithin(groups, session.errors, options, token),
  };
}

/** The n-th timestamp of a test. */
export function at(n: number): Hlc {
  return hlcOf(1_759_246_920_563_173_000n + BigInt(n), n % 3);
}

export function change(n: number, table: number, key: string): ApplyMutation {
  return { at: at(n), table, key: Buffer.from(key), after: Buffer.from('{"id": 1}'), columns: ['id'] };
}

export const PLAN: StreamPlan = ['a', 'b'].map((table, i) => ({
  topic: table,
  source: { schema: 'public', table },
  sourceId: String(100 + i),
  target: { schema: 'public', table },
  keyColumns: [{ name: 'id', keyClass: 'exact' as const }],
}));
