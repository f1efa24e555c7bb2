/** A table and the names of the tables that its foreign keys reference. */
export interface ReferencingTable {
  readonly name: string;
  readonly references: readonly string[];
}

export interface ForeignKeyOrder {
  /** Every table once, parents before the children that reference them; tables of one cycle stand together. */
  readonly ordered: readonly string[];
  /** Groups of two or more tables that reference each other in a ring. A table that references itself is none. */
  readonly cycles: readonly (readonly string[])[];
}

interface Visit {
  readonly index: number;
  low: number;
  open: boolean;
}

/**
 * Orders tables so that inserts go forwards and deletes backwards. References to tables outside the list are ignored.
 * The same input gives the same order (Tarjan's strongly connected components, in the order given).
 */
export function foreignKeyOrder(tables: readonly ReferencingTable[]): ForeignKeyOrder {
  const references = new Map(tables.map((table) => [table.name, table.references]));
  const visits = new Map<string, Visit>();
  const stack: string[] = [];
  const groups: string[][] = [];

  const visit = (name: string): Visit => {
    const own: Visit = { index: visits.size, low: visits.size, open: true };
    visits.set(name, own);
    stack.push(name);
    for (const parent of references.get(name) ?? []) {
      if (!references.has(parent)) continue;
      const seen = visits.get(parent);
      if (!seen) own.low = Math.min(own.low, visit(parent).low);
      else if (seen.open) own.low = Math.min(own.low, seen.index);
    }
    if (own.low === own.index) groups.push(closeGroup(name));
    return own;
  };

  const closeGroup = (root: string): string[] => {
    const group = stack.splice(stack.indexOf(root));
    for (const name of group) {
      const member = visits.get(name);
      if (member) member.open = false;
    }
    return group;
  };

  for (const table of tables) if (!visits.has(table.name)) visit(table.name);
  return { ordered: groups.flat(), cycles: groups.filter((group) => group.length > 1) };
}
