import { topicOf } from '../cockroach/changefeed-statement.js';
import type { IntrospectedTable } from '../cockroach/introspect.js';
import { formatTableName, type StreamPlan, type TableName } from '../domain/table.js';

/** The target table of a source table: of the same name, in the schema that the input names, else in the one of the same name. */
export function targetOf(source: TableName, targetSchema: string | undefined): TableName {
  return { schema: targetSchema ?? source.schema, table: source.table };
}

/**
 * The stream's tables in the order in which the target takes them, parents first.
 * @param order the target's own spelling of each table
 */
export function planStream(
  tables: readonly IntrospectedTable[],
  order: readonly TableName[],
  targetSchema: string | undefined,
): StreamPlan {
  const names = tables.map((table) => table.table);
  return order.flatMap((target) => {
    const found = sourceOf(target, tables, targetSchema);
    if (!found) return [];
    return [
      {
        topic: topicOf(found.table, found.fullName, names),
        source: found.table,
        sourceId: found.id,
        target,
        keyColumns: found.keyColumns.map(({ name, keyClass }) => ({ name, keyClass: keyClass ?? 'exact' })),
      },
    ];
  });
}

/** As spelled, else without regard to case: the target may have folded the name. */
function sourceOf(target: TableName, tables: readonly IntrospectedTable[], targetSchema: string | undefined) {
  const wanted = formatTableName(target);
  const spelled = (table: IntrospectedTable): string => formatTableName(targetOf(table.table, targetSchema));
  return (
    tables.find((table) => spelled(table) === wanted) ??
    tables.find((table) => spelled(table).toLowerCase() === wanted.toLowerCase())
  );
}
