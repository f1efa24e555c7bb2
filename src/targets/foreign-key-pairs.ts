import { foreignKeyOrder } from '../domain/foreign-key-order.js';
import type { ForeignKey } from '../domain/source-table.js';
import { formatTableName, type TableName } from '../domain/table.js';
import { targetNames, type Mapped } from './mapped-table.js';

/** A foreign key of the target, with the table that references. */
export interface PairedForeignKey extends ForeignKey {
  readonly table: TableName;
}

/** A table of the target, as far as its foreign keys go. */
export interface TableWithKeys<Key> {
  readonly name: TableName;
  readonly columns: readonly { readonly name: string }[];
  readonly foreignKeysOut: readonly Key[];
}

/** The source's foreign key between the same columns of the same tables, as the plan maps them. */
export function sourceKey(
  tables: readonly Mapped<TableWithKeys<PairedForeignKey>>[],
  table: Mapped<TableWithKeys<PairedForeignKey>>,
  key: PairedForeignKey,
): ForeignKey | null {
  const parent = tables.find(({ target }) => isSame(target.name, key.references));
  if (!parent) return null;
  const pairs = pairColumns(key.columns, key.referencedColumns);
  const found = table.source.foreignKeys.find(
    (candidate) =>
      isSame(candidate.references, parent.source.table) &&
      pairColumns(
        targetNames(table.target, candidate.columns),
        targetNames(parent.target, candidate.referencedColumns),
      ) === pairs,
  );
  return found ?? null;
}

/** Rings of tables that reference each other, with the keys that make them. */
export function foreignKeyCycles<Key extends PairedForeignKey>(
  tables: readonly { readonly target: TableWithKeys<Key> }[],
): readonly { readonly cycle: readonly string[]; readonly keys: readonly Key[] }[] {
  const { cycles } = foreignKeyOrder(
    tables.map(({ target }) => ({
      name: formatTableName(target.name),
      references: target.foreignKeysOut.map((key) => formatTableName(key.references)),
    })),
  );
  return cycles.map((cycle) => ({
    cycle,
    keys: tables.flatMap(({ target }) =>
      target.foreignKeysOut.filter(
        (key) => cycle.includes(formatTableName(key.table)) && cycle.includes(formatTableName(key.references)),
      ),
    ),
  }));
}

/** RESTRICT and NO ACTION both refuse. */
export function sameAction(a: ForeignKey['onDelete'], b: ForeignKey['onDelete']): boolean {
  const normal = (action: string): string => (action === 'RESTRICT' ? 'NO ACTION' : action);
  return normal(a) === normal(b);
}

export function actionsSql({ onDelete, onUpdate }: ForeignKey): string {
  return `ON DELETE ${onDelete} ON UPDATE ${onUpdate}`;
}

/** For people. */
export function foreignKeyLabel({ name, columns }: ForeignKey): string {
  return `${name} (${columns.join(', ')})`;
}

function pairColumns(columns: readonly string[], referenced: readonly string[]): string {
  return JSON.stringify(columns.map((column, index) => [column, referenced[index]]).sort());
}

function isSame(a: TableName, b: TableName): boolean {
  return a.schema === b.schema && a.table === b.table;
}
