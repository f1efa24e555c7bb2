import type { Finding } from '../../../src/domain/finding.js';
import type { ForeignKey, SourceTable } from '../../../src/domain/source-table.js';
import { connectMysql, type MysqlClient } from '../../../src/targets/mysql/client.js';
import { preflightMysql } from '../../../src/targets/mysql/preflight.js';
import type { TargetTable } from '../../../src/targets/mysql/table-shape.js';
import type { TargetPlan, TargetPreflight } from '../../../src/targets/target-plan.js';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';

/** A server with a fresh database for each test, and a user `app` without a privilege beside the administrator. */
export interface PreflightBench {
  readonly server: Mariadb;
  /** The present database's name. */
  database(): string;
  /** The administrator, in the present database; statements are separated by `;` at the end of a line. */
  admin(sql: string): Promise<readonly Readonly<Record<string, string | null>>[]>;
  fresh(): Promise<void>;
  url(user: string): string;
  preflight(tables: SourceTable[], user: string, more?: Partial<TargetPlan>): Promise<TargetPreflight<TargetTable>>;
  stop(): Promise<void>;
}

export async function startPreflightBench(settings: Record<string, string> = {}): Promise<PreflightBench> {
  const server = await startMariadb({
    settings: {
      'innodb-flush-log-at-trx-commit': '1',
      'innodb-doublewrite': 'ON',
      'default-time-zone': '+00:00',
      'character-set-server': 'utf8mb4',
      ...settings,
    },
  });
  let number = 0;
  const connect = (url: string): Promise<MysqlClient> =>
    connectMysql({ connectionString: url, applicationName: 'failback test' });
  let client = await connect(server.url());
  const database = (): string => `d${number}`;
  const url = (user: string): string =>
    user === 'failback' ? server.url(database()) : `mysql://${user}:app@127.0.0.1:${server.port}/${database()}`;
  const run = async (sql: string) => {
    let rows: readonly Readonly<Record<string, string | null>>[] = [];
    for (const statement of sql.split(/;\s*(?:\n|$)|; (?=ALTER |SET )/)) {
      if (statement.trim() !== '') ({ rows } = await client.query(statement));
    }
    return rows;
  };
  return {
    server,
    database,
    url,
    admin: run,
    async fresh() {
      await client.query(`CREATE DATABASE d${++number}`);
      await client.query(`DROP DATABASE IF EXISTS _failback`);
      await client.close();
      client = await connect(server.url(database()));
      await client.query(`DROP USER IF EXISTS app@127.0.0.1`);
      await client.query(`CREATE USER app@127.0.0.1 IDENTIFIED BY 'app'`);
      await client.query('GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP ON `\\_failback`.* TO app@127.0.0.1');
      await client.query('GRANT PROCESS ON *.* TO app@127.0.0.1');
    },
    async preflight(tables, user, more = {}) {
      const session = await connect(url(user));
      try {
        return await preflightMysql(session, {
          tables: tables.map((source) => ({ source, target: { ...source.table, schema: database() } })),
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
        await session.close();
      }
    },
    async stop() {
      await client.close();
      await server.stop();
    },
  };
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

/** `severity id object` without the database, in order, without the notes. */
export function problems(preflight: TargetPreflight): string[] {
  return preflight.findings
    .filter(({ severity }) => severity !== 'note')
    .map(({ severity, id, object }) => `${severity} ${id} ${object.replaceAll(/\bd\d+\./g, '')}`)
    .sort();
}

export function remedyOf(preflight: TargetPreflight, id: string, object?: string): string {
  const finding = preflight.findings.find(
    (each) => each.id === id && (object === undefined || each.object.endsWith(`.${object}`)),
  );
  return finding ? statementOf(finding) : `no finding ${id}`;
}

export function statementOf({ remedy }: Finding): string {
  return remedy.kind === 'statement' ? remedy.sql : remedy.text;
}
