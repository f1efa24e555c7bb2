import type { TableName } from '../../domain/table.js';

/** Tables of the stream that foreign keys bind together, in whichever direction. */
export interface Family {
  /** One of its foreign keys acts (CASCADE, SET NULL, SET DEFAULT). */
  readonly acts: boolean;
}

/** Finds the family of a table by its number. The first question reads every table of the stream; call inside a transaction. */
export type FindFamily = (table: number) => Promise<Family>;

/** Where the foreign keys onto each table come from. */
export interface ReferencingTables {
  referencedBy(table: number): Promise<readonly { readonly table: TableName; readonly acts: boolean }[]>;
  /** The number of a table of the target; null when the stream has no such table. */
  numberOf(name: TableName): number | null;
}

export function createFamilies(tables: ReferencingTables, count: number): FindFamily {
  let families: readonly Family[] | null = null;
  return async (table) => {
    families ??= await readFamilies(tables, count);
    const found = families[table];
    if (found === undefined) throw new Error(`table number ${table} is not among the ${count} of the stream`);
    return found;
  };
}

async function readFamilies(tables: ReferencingTables, count: number): Promise<readonly Family[]> {
  const bound = Array.from({ length: count }, (_, table) => ({ tables: [table], acts: false }));
  for (let parent = 0; parent < count; parent++) {
    for (const reference of await tables.referencedBy(parent)) {
      const one = bound[parent];
      const child = tables.numberOf(reference.table);
      const other = child === null ? one : bound[child];
      if (one === undefined || other === undefined) continue;
      one.acts ||= other.acts || reference.acts;
      if (one === other) continue;
      one.tables.push(...other.tables);
      for (const table of other.tables) bound[table] = one;
    }
  }
  return bound;
}
