import { topicOf } from '../cockroach/changefeed-statement.js';
import type { IntrospectedTable } from '../cockroach/introspect.js';
import { packGroups, type TableLink } from '../domain/apply-groups.js';
import { formatTableName, type StreamPlan, type TableName } from '../domain/table.js';

/** The target table of a source table: of the same name, in the schema given, else in the one of the same name. */
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

/** A foreign key of the target, by the target's own spelling of both tables. */
export interface TargetReference {
  readonly table: TableName;
  readonly references: TableName;
}

/**
 * The plan with the group of each table: what foreign keys of either side hold together is applied together (protocol rule 26). Where that
 * leaves one group, the plan stays as it is.
 */
export function planGroups(
  plan: StreamPlan,
  tables: readonly IntrospectedTable[],
  references: readonly TargetReference[],
  parallelism: number,
): StreamPlan {
  const numbers = (side: 'source' | 'target'): ReadonlyMap<string, number> =>
    new Map(plan.map((table, number) => [formatTableName(table[side]), number]));
  const [sources, targets] = [numbers('source'), numbers('target')];
  const link = (known: ReadonlyMap<string, number>, from: TableName, to: TableName): readonly TableLink[] => {
    const [a, b] = [known.get(formatTableName(from)), known.get(formatTableName(to))];
    return a === undefined || b === undefined ? [] : [[a, b]];
  };
  const links = [
    ...references.flatMap((key) => link(targets, key.table, key.references)),
    ...tables.flatMap(({ table, foreignKeys }) => foreignKeys.flatMap((key) => link(sources, table, key.references))),
  ];
  const groupOf = packGroups(plan.length, links, parallelism);
  if (groupOf.every((group) => group === 0)) return plan;
  return plan.map((table, number) => ({ ...table, group: groupOf[number] ?? 0 }));
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
