import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { Finding } from '../../../src/domain/finding.js';
import type { SourceTable } from '../../../src/domain/source-table.js';
import { preflightOracle } from '../../../src/targets/oracle/preflight.js';
import type { TargetTable } from '../../../src/targets/oracle/table-shape.js';
import type { TargetPlan, TargetPreflight } from '../../../src/targets/target-plan.js';
import type { H2, H2Session } from '../../support/h2.js';

/** A schema of H2's that looks like one of Oracle's, its owner, and a plain user SESSION_USER. */
export interface PreflightBench {
  readonly schema: string;
  readonly owner: H2Session;
  /** Runs statements of the owner, separated by `;` at the ends of lines. */
  run(sql: string): Promise<void>;
  preflight(
    as: H2Session,
    tables: readonly SourceTable[],
    more?: Partial<TargetPlan>,
  ): Promise<TargetPreflight<TargetTable>>;
  /** A session of the plain user, who may read the catalogue and nothing else but what `run` has granted. */
  plain(): Promise<H2Session>;
}

export async function createPreflightBench(t: Pick<TestContext, 'after'>, h2: H2, ddl = ''): Promise<PreflightBench> {
  const schema = `S${randomUUID().replaceAll('-', '').toUpperCase()}`;
  const owner = await h2.connect(schema);
  t.after(() => owner.close());
  const run = async (sql: string): Promise<void> => {
    for (const statement of sql.split(/;\s*$/m)) if (statement.trim() !== '') await owner.script(statement);
  };
  await run(ddl);
  return {
    schema,
    owner,
    run,
    preflight: (as, tables, more = {}) =>
      preflightOracle(as, {
        tables: tables.map((source) => ({ source, target: { ...source.table, schema } })),
        run: 'orders',
        streams: ['orders-1'],
        checkpointSchema: schema,
        connectionsNeeded: 4,
        enforcementOffWanted: false,
        sentinel: null,
        extraColumns: 'error',
        ...more,
      }),
    async plain() {
      const session = await h2.connectAs('SESSION_USER', schema);
      t.after(() => session.close());
      const views = await owner.script(
        `SELECT table_name AS name FROM information_schema.views WHERE table_schema = '${schema}'`,
      );
      for (const { name } of views) await owner.script(`GRANT SELECT ON "${schema}"."${name ?? ''}" TO "SESSION_USER"`);
      return session;
    },
  };
}

export function sourceTable(
  name: string,
  columns: Record<string, string>,
  more: Partial<SourceTable> & { readonly notNull?: readonly string[] } = {},
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

/** `severity id object` without the schema, in order, without the notes and what every bench here has. */
export function problems(preflight: TargetPreflight, schema: string): readonly string[] {
  return preflight.findings
    .filter(({ severity, id }) => severity !== 'note' && !OF_EVERY_BENCH.includes(id))
    .map(({ severity, id, object }) => `${severity} ${id} ${object.replaceAll(`${schema}.`, '')}`)
    .sort();
}

/** H2 has no V$ views, and SESSION_USER is not the schema. */
const OF_EVERY_BENCH: readonly string[] = ['privilege.end-session', 'privilege.create', 'privilege.trigger'];

export function remedyOf(preflight: TargetPreflight, id: string, object = ''): string {
  const finding = preflight.findings.find((each) => each.id === id && each.object.endsWith(object));
  return finding === undefined ? `no finding ${id}` : statementOf(finding);
}

function statementOf({ remedy }: Finding): string {
  return remedy.kind === 'statement' ? remedy.sql : remedy.text;
}
