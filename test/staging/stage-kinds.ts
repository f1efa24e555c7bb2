import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pg from 'pg';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import { connectStage, cutOff, type StageDatabase } from '../../src/staging/sql/connection.js';
import { openSqlStage } from '../../src/staging/sql/open-stage.js';
import { ensureStageSchema } from '../../src/staging/sql/schema.js';
import type { Stage } from '../../src/staging/stage.js';
import { startPostgres, type Postgres } from '../support/postgres.js';

/** Room for stages, for one test. */
export interface StageScene {
  open(stream: string): Promise<Stage>;
  end(): Promise<void>;
}

/** The same in a database. */
export interface SqlStageScene extends StageScene {
  readonly schema: string;
  readonly database: StageDatabase;
  /** Opens the stage through another port, e.g. a proxy's. */
  openThrough(port: number, stream: string): Promise<Stage>;
  /** A connection of the administrator's, ended with the scene. */
  readonly sql: pg.Client;
}

export interface StageKind {
  readonly name: string;
  make(): Promise<StageScene>;
}

let server: Promise<Postgres> | null = null;

/** One for all tests of a file. */
export function postgresServer(): Promise<Postgres> {
  return (server ??= startPostgres());
}

export async function stopServers(): Promise<void> {
  await (await server)?.stop();
  server = null;
}

export async function makeSqlScene(url: string): Promise<SqlStageScene> {
  const schema = `stage_${randomBytes(5).toString('hex')}`;
  const database: StageDatabase = {
    connectionString: url,
    database: new URL(url).pathname.slice(1),
    applicationName: 'failback test',
  };
  const connection = await connectStage(database);
  await ensureStageSchema(connection, schema, true);
  cutOff(connection.client);
  const sql = new pg.Client({ connectionString: url, scramMaxIterations: 1_000_000 } as pg.ClientConfig);
  sql.on('error', () => undefined);
  await sql.connect();
  return {
    schema,
    database,
    sql,
    open: (stream) => openSqlStage({ database, schema, stream }),
    openThrough(port, stream) {
      const through = new URL(url);
      through.port = String(port);
      return openSqlStage({ database: { ...database, connectionString: through.toString() }, schema, stream });
    },
    async end() {
      await sql.query(`DROP SCHEMA ${schema} CASCADE`).catch(() => undefined);
      await sql.end();
    },
  };
}

const LMDB: StageKind = {
  name: 'LMDB',
  make() {
    const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-stage-'));
    return Promise.resolve({
      open: (stream: string) => Promise.resolve(openLmdbStage({ stageDir, stream })),
      end: () => Promise.resolve(rmSync(stageDir, { recursive: true, force: true })),
    });
  },
};

const POSTGRES: StageKind = {
  name: 'PostgreSQL',
  make: async () => makeSqlScene((await postgresServer()).url('postgres')),
};

const cockroachUrl = process.env['COCKROACH_URL'];

/** CockroachDB where there is a real one: the simulator does not take just any DDL. */
export const STAGE_KINDS: readonly StageKind[] = [
  LMDB,
  POSTGRES,
  ...(cockroachUrl === undefined ? [] : [{ name: 'CockroachDB', make: () => makeSqlScene(cockroachUrl) }]),
];
