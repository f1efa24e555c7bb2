import pg from 'pg';
import type { Finding } from '../../../src/domain/finding.js';
import type { ForeignKey, SourceTable } from '../../../src/domain/source-table.js';
import { connectPostgres } from '../../../src/targets/postgres/client.js';
import { preflightPostgres } from '../../../src/targets/postgres/preflight.js';
import type { TargetTable } from '../../../src/targets/postgres/table-shape.js';
import type { TargetPlan, TargetPreflight } from '../../../src/targets/target-plan.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';

/** A server with a fresh database for each test, and an unprivileged role `app` beside the superuser. */
export interface PreflightBench {
  readonly server: Postgres;
  /** Superuser, in the present database. */
  admin(sql: string): Promise<Record<string, unknown>[]>;
  fresh(): Promise<void>;
  preflight(tables: SourceTable[], user: string, more?: Partial<TargetPlan>): Promise<TargetPreflight<TargetTable>>;
  stop(): Promise<void>;
}

export async function startPreflightBench(settings: Record<string, string> = {}): Promise<PreflightBench> {
  const server = await startPostgres({ settings });
  let number = 0;
  let client = await connect(server.url());
  await client.query(`CREATE ROLE app LOGIN; CREATE ROLE replicator LOGIN;
    GRANT SET ON PARAMETER session_replication_role TO replicator`);
  return {
    server,
    admin: async (sql) => (await client.query<Record<string, unknown>>(sql)).rows,
    async fresh() {
      await client.query(`CREATE DATABASE d${++number}`);
      await client.end();
      client = await connect(server.url(`d${number}`));
      await client.query(`GRANT CREATE ON DATABASE d${number} TO app, replicator`);
    },
    async preflight(tables, user, more = {}) {
      const connection = { connectionString: server.url(`d${number}`, user), applicationName: 'failback test' };
      const session = await connectPostgres(connection);
      try {
        return await preflightPostgres(session, {
          tables: tables.map((source) => ({ source, target: source.table })),
          run: 'orders',
          streams: ['orders-1'],
          checkpointSchema: '_failback',
          connectionsNeeded: 4,
          enforcementOffWanted: true,
          sentinel: null,
          extraColumns: 'error',
          ...more,
        });
      } finally {
        await session.end();
      }
    },
    async stop() {
      await client.end();
      await server.stop();
    },
  };
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client;
}

export function sourceTable(
  name: string,
  columns: Record<string, string>,
  more: Partial<SourceTable> & { notNull?: string[] } = {},
): SourceTable {
  const { notNull = ['id'], ...rest } = more;
  return {
    table: { schema: 'public', table: name },
    columns: Object.entries(columns).map(([column, type]) => ({
      name: column,
      type,
      nullable: !notNull.includes(column),
    })),
    primaryKey: ['id'],
    foreignKeys: [],
    ...rest,
  };
}

export function foreignKey(columns: string[], table: string, more: Partial<ForeignKey> = {}): ForeignKey {
  return {
    name: `fk_${columns.join('_')}`,
    columns,
    references: { schema: 'public', table },
    referencedColumns: ['id'],
    onDelete: 'NO ACTION',
    onUpdate: 'NO ACTION',
    ...more,
  };
}

/** `severity id object`, in order, without the notes. */
export function problems(preflight: TargetPreflight): string[] {
  return preflight.findings
    .filter(({ severity }) => severity !== 'note')
    .map(({ severity, id, object }) => `${severity} ${id} ${object}`)
    .sort();
}

export function remedyOf(preflight: TargetPreflight, id: string, object?: string): string {
  const finding = preflight.findings.find((each) => each.id === id && (object === undefined || each.object === object));
  return finding ? statementOf(finding) : `no finding ${id}`;
}

export function statementOf({ remedy }: Finding): string {
  return remedy.kind === 'statement' ? remedy.sql : remedy.text;
}
