import type { ExtraColumns } from '../../domain/extra-columns.js';
import type { StreamPlan } from '../../domain/table.js';
import { createTableCache, type TableCache } from '../session/table-cache.js';
import { readApplyShape } from './apply-shape.js';
import type { OracleClient } from './client.js';
import { quoteTable } from './names.js';
import { applyTable, columnOf, mayLackColumns, type ApplyTable } from './sql.js';

export type ApplyTables = TableCache<ApplyTable>;

export function createApplyTables(client: OracleClient, plan: StreamPlan, extraColumns: ExtraColumns): ApplyTables {
  return createTableCache(plan, {
    async read({ target, keyColumns }) {
      const shape = await readApplyShape(client, target);
      const keys = keyColumns.map(({ name }) => name);
      return shape && applyTable(shape, keys, extraColumns);
    },
    hasColumn: ({ shape }, name) => columnOf(shape, name) !== null,
    whenMissing: (name) => {
      const quoted = quoteTable(name);
      return (
        `CREATE TABLE ${quoted} as the source has it, or GRANT SELECT, INSERT, UPDATE, DELETE ON ${quoted} to the user (the target has no such table, ` +
        'or the user may not see it), then resume'
      );
    },
    mayLackColumns: mayLackColumns(extraColumns),
  });
}
