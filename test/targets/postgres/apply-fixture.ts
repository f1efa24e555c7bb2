import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import pg from 'pg';
import { formatHlc, hlcOf, type Hlc } from '../../../src/domain/hlc.js';
import type { ColumnSet } from '../../../src/domain/mutation.js';
import type { KeyClass, StreamPlan } from '../../../src/domain/table.js';
import { openPostgresApplySession, type PostgresApplyOptions } from '../../../src/targets/postgres/session.js';
import type { ApplyMutation, ApplySession, ApplyWindow } from '../../../src/targets/target.js';
import type { Postgres } from '../../support/postgres.js';

/** A database of its own with the stream's checkpoint row, at `at(0)`, under the token `token`. */
export interface ApplyFixture {
  readonly admin: pg.Client;
  readonly database: string;
  readonly stream: string;
  readonly token: string;
  open(options?: Partial<PostgresApplyOptions>): Promise<ApplySession>;
  options(options?: Partial<PostgresApplyOptions>): PostgresApplyOptions;
  /** Rows of a query, every value as text. */
  rows(sql: string): Promise<(string | null)[][]>;
  applied(): Promise<string>;
}

/** Closed after the test `t`, whatever its end. */
export async function createApplyFixture(
  t: Pick<TestContext, 'after'>,
  postgres: Postgres,
  ddl: string,
  tables: readonly string[],
  keyClasses: Readonly<Record<string, KeyClass>> = {},
): Promise<ApplyFixture> {
  const database = `t_${randomUUID().replaceAll('-', '')}`;
  const maintenance = new pg.Client({ connectionString: postgres.url() });
  await maintenance.connect();
  await maintenance.query(`CREATE DATABASE ${database}`);
  await maintenance.end();
  const admin = new pg.Client({ connectionString: postgres.url(database) });
  await admin.connect();
  admin.on('error', () => undefined);
  await admin.query(`CREATE SCHEMA _failback; ${CHECKPOINT_TABLE}; ${ddl}`);
  const stream = 'orders';
  const token = randomUUID();
  await admin.query(
    `INSERT INTO _failback.checkpoint (stream, run, applied, cursor, token, origin) VALUES ($1, 'run', $2, $2, $3, '{}')`,
    [stream, formatHlc(at(0)), token],
  );
  const opened: ApplySession[] = [];
  t.after(async () => {
    await Promise.all(opened.map((session) => session.close()));
    await admin.end();
  });
  const options = (over: Partial<PostgresApplyOptions> = {}): PostgresApplyOptions => ({
    connectionString: postgres.url(database),
    plan: planOf(tables, keyClasses),
    stream,
    checkpointSchema: '_failback',
    flushSize: 1000,
    extraColumns: 'error',
    enforcementOff: false,
    collapseMutations: true,
    lockTimeoutMs: 400,
    idleInTransactionTimeoutMs: 60_000,
    ...over,
  });
  return {
    admin,
    database,
    stream,
    token,
    options,
    async open(over) {
      const session = await openPostgresApplySession(options(over));
      opened.push(session);
      return session;
    },
    async rows(sql) {
      const result = await admin.query<(string | null)[]>({ text: sql, rowMode: 'array', types: AS_TEXT });
      return result.rows;
    },
    async applied() {
      const { rows } = await admin.query<{ applied: string }>(
        'SELECT applied::text AS applied FROM _failback.checkpoint',
      );
      return rows[0]?.applied ?? 'none';
    },
  };
}

/** Every value as the server writes it. */
export const AS_TEXT = { getTypeParser: () => (value: unknown) => value } as unknown as pg.CustomTypesConfig;

const CHECKPOINT_TABLE = `
CREATE TABLE _failback.checkpoint (
  stream text PRIMARY KEY, run text NOT NULL,
  applied numeric(30,10) NOT NULL, cursor numeric(30,10) NOT NULL,
  token text, holder_pid integer, holder_started timestamptz,
  stage_id text, incarnation integer NOT NULL DEFAULT 0,
  feed_wanted boolean NOT NULL DEFAULT true, stop_at numeric(30,10), hold jsonb, origin jsonb NOT NULL, changed_at timestamptz NOT NULL DEFAULT now())`;

/** `name` or `name:key1,key2`; the key is `id` by default. Parents first. */
export function planOf(tables: readonly string[], keyClasses: Readonly<Record<string, KeyClass>> = {}): StreamPlan {
  return tables.map((text, i) => {
    const [table = '', keys = 'id'] = text.split(':');
    return {
      topic: table,
      source: { schema: 'public', table },
      sourceId: String(100 + i),
      target: { schema: 'public', table },
      keyColumns: keys.split(',').map((name) => ({ name, keyClass: keyClasses[name] ?? 'exact' })),
    };
  });
}

/** The n-th timestamp of a test. */
export function at(n: number): Hlc {
  return hlcOf(1_759_246_920_563_173_000n + BigInt(n), n % 3);
}

const shapes = new Map<string, ColumnSet>();

/** A change as the stage hands it out. `after` is the row's JSON text as the changefeed writes it. */
export function upsert(n: number, table: number, key: string, after: string): ApplyMutation {
  const names = Object.keys(JSON.parse(after) as object);
  const shape = shapes.get(names.join()) ?? names;
  shapes.set(names.join(), shape);
  return { at: at(n), table, key: Buffer.from(key), after: Buffer.from(after), columns: shape };
}

export function remove(n: number, table: number, key: string): ApplyMutation {
  return { at: at(n), table, key: Buffer.from(key), after: null, columns: null };
}

/** The window (at(from), at(to)]. */
export function windowOf(from: number, to: number, mutations: readonly ApplyMutation[]): ApplyWindow {
  return { previous: at(from), next: at(to), mutations };
}
