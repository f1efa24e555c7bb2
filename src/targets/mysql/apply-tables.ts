import type { ExtraColumns } from '../../domain/extra-columns.js';
import type { StreamPlan } from '../../domain/table.js';
import { createTableCache, type TableCache } from '../session/table-cache.js';
import { readApplyShape } from './apply-shape.js';
import type { MysqlClient } from './client.js';
import { quoteTable } from './names.js';
import { applyTable, columnOf, mayLackColumns, type ApplyTable } from './sql.js';

export type ApplyTables = TableCache<ApplyTable>;

export function createApplyTables(client: MysqlClient, plan: StreamPlan, extraColumns: ExtraColumns): ApplyTables {
  return createTableCache(plan, {
    async read({ target, keyColumns }) {
      const shape = await readApplyShape(client, target);
      const keys = keyColumns.map(({ name }) => name);
      return shape && applyTable(shape, keys, extraColumns);
    },
    hasColumn: ({ shape }, name) => columnOf(shape, name) !== null,
    whenMissing: (name) =>
      `CREATE TABLE ${quoteTable(name)} as the source has it (the target has no such table), then resume`,
    mayLackColumns: mayLackColumns(extraColumns),
  });
}
