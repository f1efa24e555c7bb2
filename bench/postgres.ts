import pg from 'pg';
import { startPostgres } from '../demo/parts/postgres.js';
import type { StreamPlan } from '../src/domain/table.js';
import { openPostgresCheckpointStore } from '../src/targets/postgres/checkpoint-store.js';
import { openPostgresApplySession, type PostgresApplyOptions } from '../src/targets/postgres/session.js';
import type { ApplySession } from '../src/targets/target.js';
import type { Form } from './ceiling.js';
import { COLUMN_NAMES, COLUMN_TYPES, CURSOR, documentOf, tableName, valuesOf } from './rows.js';
import { SCHEMA, SESSION, STREAM, type BenchTarget } from './target.js';

const NAMES = COLUMN_NAMES.join();
const UPDATED = COLUMN_NAMES.filter((name) => name !== 'id').map((name) => `${name} = excluded.${name}`);
const ON_CONFLICT = `ON CONFLICT (id) DO UPDATE SET ${UPDATED.join()}`;

export interface PostgresBench extends BenchTarget {
  readonly client: pg.Client;
  openSession(plan: StreamPlan, over: Partial<PostgresApplyOptions>): Promise<ApplySession>;
}

const JSON_ONLY: Partial<PostgresApplyOptions> = { copyFrom: Infinity };

export async function startPostgresBench(): Promise<PostgresBench> {
  const postgres = await startPostgres();
  const connectionString = postgres.url();
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(`CREATE TEMP TABLE bench_in (${COLUMN_TYPES}) ON COMMIT DELETE ROWS`);
  return {
    client,
    forms: formsOn(client),
    ways: { 'loop, JSON': JSON_ONLY, loop: {} },
    async empty(shape) {
      for (let table = 0; table < shape.tables; table++)
        await client.query(
          `DROP TABLE IF EXISTS ${tableName(table)}; CREATE TABLE ${tableName(table)} (${COLUMN_TYPES}, PRIMARY KEY (id))`,
        );
      const store = await openPostgresCheckpointStore({ connectionString, applicationName: 'bench' }, SCHEMA);
      try {
        await store.removeRun(STREAM);
        await store.ensureSchema();
        await store.insertOnce({
          stream: STREAM,
          run: STREAM,
          cursor: CURSOR,
          origin: { clusterId: 'bench', tableIds: {} },
        });
      } finally {
        await store.close();
      }
      await client.query('CHECKPOINT');
    },
    openSession: (plan, over) => openPostgresApplySession({ ...SESSION, connectionString, plan, ...over }),
    async stop() {
      await client.end();
      await postgres.stop();
    },
  };
}

function formsOn(client: pg.Client): Readonly<Record<string, Form<Buffer>>> {
  return {
    json_to_recordset: {
      texts: (_, rows, shape) => [Buffer.from(`[${rows.map((n) => documentOf(valuesOf(n, shape))).join()}]`)],
      run: (table, texts) =>
        client.query(
          `INSERT INTO ${table} (${NAMES}) SELECT ${NAMES} FROM json_to_recordset($1::json) AS r(${COLUMN_TYPES}) ${ON_CONFLICT}`,
          [...texts],
        ),
    },
    'COPY and merge': {
      texts: (_, rows, shape) => [Buffer.from(`${rows.map((n) => valuesOf(n, shape).join('\t')).join('\n')}\n`)],
      async run(table, texts) {
        await client.query('BEGIN');
        for (const text of texts) await copyIn(client, `COPY pg_temp.bench_in (${NAMES}) FROM STDIN`, text);
        await client.query(
          `INSERT INTO ${table} (${NAMES}) SELECT ${NAMES} FROM pg_temp.bench_in ${ON_CONFLICT}; COMMIT`,
        );
      },
    },
  };
}

/** The protocol's COPY of one block of text. */
async function copyIn(client: pg.Client, sql: string, data: Buffer): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const nothing = (): void => undefined;
    const submitted = {
      submit: (connection: { query(text: string): void }) => connection.query(sql),
      handleError: reject,
      handleCopyInResponse(connection: { sendCopyFromChunk(chunk: Buffer): void; endCopyFrom(): void }) {
        connection.sendCopyFromChunk(data);
        connection.endCopyFrom();
      },
      handleReadyForQuery: () => resolve(),
      handleCommandComplete: nothing,
      handleRowDescription: nothing,
      handleDataRow: nothing,
      handlePortalSuspended: nothing,
      handleEmptyQuery: nothing,
      handleCopyData: nothing,
    };
    client.query(submitted as unknown as pg.Submittable);
  });
}
