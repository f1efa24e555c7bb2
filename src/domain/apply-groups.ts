import type { StreamPlan } from './table.js';

/** Tables that are applied together, by their numbers in the plan, ascending. */
export interface ApplyGroup {
  readonly number: number;
  readonly tables: readonly number[];
}

/** Two tables, by number, between which a foreign key leads, on whichever side. */
export type TableLink = readonly [number, number];

/**
 * The group of each table: tables between which foreign keys lead, directly or by way of others, are in one group, and there are at most `most`
 * groups, of about as many tables each. The same input gives the same groups, numbered by their first table.
 */
export function packGroups(tables: number, links: readonly TableLink[], most: number): readonly number[] {
  const components = componentsOf(tables, links);
  const groups: number[][] = [];
  // The largest first, each to the group that has the fewest tables so far.
  for (const component of components.toSorted((a, b) => b.length - a.length || first(a) - first(b))) {
    if (groups.length < most) groups.push([...component]);
    else smallest(groups).push(...component);
  }
  const groupOf = new Array<number>(tables).fill(0);
  groups
    .toSorted((a, b) => Math.min(...a) - Math.min(...b))
    .forEach((group, number) => {
      for (const table of group) groupOf[table] = number;
    });
  return groupOf;
}

/** Ascending within each, and by their first table. */
function componentsOf(tables: number, links: readonly TableLink[]): readonly (readonly number[])[] {
  const parents = Array.from({ length: tables }, (_, table) => table);
  const rootOf = (table: number): number => {
    let root = table;
    for (let parent = parents[root]; parent !== undefined && parent !== root; parent = parents[root]) root = parent;
    return root;
  };
  for (const [a, b] of links) {
    const [low, high] = [rootOf(a), rootOf(b)].sort((x, y) => x - y) as [number, number];
    parents[high] = low;
  }
  const byRoot = new Map<number, number[]>();
  for (let table = 0; table < tables; table++) {
    const root = rootOf(table);
    byRoot.set(root, [...(byRoot.get(root) ?? []), table]);
  }
  return [...byRoot.values()];
}

function first(component: readonly number[]): number {
  return component[0] ?? 0;
}

function smallest(groups: readonly number[][]): number[] {
  return groups.reduce((least, group) => (group.length < least.length ? group : least));
}

/** The plan's groups by number; none where all tables are applied as one. */
export function groupsOf(plan: StreamPlan): readonly ApplyGroup[] {
  const numbers = [...new Set(plan.map(({ group }) => group ?? 0))].sort((a, b) => a - b);
  if (numbers.length < 2) return [];
  return numbers.map((number) => ({
    number,
    tables: plan.flatMap((table, index) => ((table.group ?? 0) === number ? [index] : [])),
  }));
}
