import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { randomUUID } from 'node:crypto';
import type { ExtraColumns } from '../../../src/domain/extra-columns.js';
import type { StreamPlan } from '../../../src/domain/table.js';
import { createChangeWriter } from '../../../src/targets/oracle/change-writer.js';
import type { OracleClient } from '../../../src/targets/oracle/client.js';
import { collapseMutations } from '../../../src/targets/collapse.js';
import type { ChangeWriter } from '../../../src/targets/session/parts.js';
import type { RefusedChange } from '../../../src/targets/session/refused-change.js';
import { writeSpan } from '../../../src/targets/session/span-writer.js';
import type { AppliedFigures, ApplyMutation } from '../../../src/targets/target.js';
import type { H2, H2Session } from '../../support/h2.js';

/** A schema of its own, and a writer into its tables. */
export interface WriterFixture {
  readonly session: H2Session;
  readonly writer: ChangeWriter;
  readonly schema: string;
  /** Each as an array bind that was sent. */
  readonly statements: readonly { readonly sql: string; readonly rows: number }[];
  /** Writes a set and expects it to be written. */
  readonly write: (...changes: readonly ApplyMutation[]) => Promise<void>;
  /** Writes a span as the session does. */
  readonly span: (changes: readonly ApplyMutation[], putAside?: RefusedChange[]) => Promise<AppliedFigures>;
  /** Rows of a query, every value as text. */
  readonly rows: (sql: string) => Promise<(string | null)[][]>;
}

export interface WriterOptions {
  readonly flushSize?: number;
  readonly extraColumns?: ExtraColumns;
}

/** `tables` as for `planOf`; `ddl` may be several statements with a `;` at the ends of lines. */
export async function createWriterFixture(
  t: Pick<TestContext, 'after'>,
  h2: H2,
  ddl: string,
  tables: readonly string[],
  { flushSize = 1000, extraColumns = 'error' }: WriterOptions = {},
): Promise<WriterFixture> {
  const schema = `S${randomUUID().replaceAll('-', '').toUpperCase()}`;
  const session = await h2.connect(schema);
  t.after(() => session.close());
  for (const statement of ddl.split(/;\s*$/m)) if (statement.trim() !== '') await session.script(statement);
  const statements: { readonly sql: string; readonly rows: number }[] = [];
  const recorded: OracleClient = {
    ...session,
    executeMany: (sql, rows, kinds) => {
      statements.push({ sql, rows: rows.length });
      return session.executeMany(sql, rows, kinds);
    },
  };
  const plan = planIn(schema, tables);
  const writer = createChangeWriter(recorded, { plan, extraColumns, flushSize });
  return {
    session,
    writer,
    schema,
    statements,
    write: async (...changes) => {
      const outcome = await writer.writeSet(collapseMutations(changes), { most: Infinity, bulk: false });
      assert.equal(outcome, 'written');
      await session.commit();
    },
    span: async (changes, putAside) => {
      const figures = await writeSpan({ plan, writer, flushSize, bulk: false, putAside: putAside ?? null }, changes);
      await session.commit();
      return figures;
    },
    rows: async (sql) => {
      const { rows } = await session.execute(sql);
      await session.commit();
      return rows.map((row) => Object.values(row));
    },
  };
}

/** `NAME` or `NAME:key1,key2`; the key is `id` by default. Parents first. */
export function planIn(schema: string, tables: readonly string[]): StreamPlan {
  return tables.map((text, i) => {
    const [table = '', keys = 'id'] = text.split(':');
    return {
      topic: table.toLowerCase(),
      source: { schema: 'public', table: table.toLowerCase() },
      sourceId: String(100 + i),
      target: { schema, table },
      keyColumns: keys.split(',').map((name) => ({ name, keyClass: 'exact' })),
    };
  });
}
