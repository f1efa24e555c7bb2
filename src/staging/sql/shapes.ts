import type { ColumnSet } from '../../domain/mutation.js';

/** The shape number of a delete. */
export const DELETE_SHAPE = 0;

/** Numbers for column sets: a row names its columns by one number. */
export interface Shapes {
  /** The columns of a number; the same array each time. Null for a delete, undefined for a number never given. */
  columns(shape: number): ColumnSet | null | undefined;
  number(columns: ColumnSet | null): number;
  /** What has been numbered and is not known to be in the database yet. */
  fresh(): readonly (readonly [shape: number, names: ColumnSet])[];
  /** They are there now. */
  kept(): void;
}

/** @param stored what the database has */
export function createShapes(stored: readonly (readonly [shape: number, names: ColumnSet])[]): Shapes {
  const byNumber = new Map<number, ColumnSet | null>([[DELETE_SHAPE, null]]);
  const byText = new Map<string, number>();
  const byIdentity = new WeakMap<ColumnSet, number>();
  let next = DELETE_SHAPE + 1;
  let fresh: (readonly [number, ColumnSet])[] = [];
  const know = (shape: number, names: ColumnSet): void => {
    byNumber.set(shape, names);
    byText.set(JSON.stringify(names), shape);
    next = Math.max(next, shape + 1);
  };
  for (const [shape, names] of stored) know(shape, names);
  return {
    columns: (shape) => byNumber.get(shape),
    number(columns) {
      if (!columns) return DELETE_SHAPE;
      const known = byIdentity.get(columns) ?? byText.get(JSON.stringify(columns));
      const shape = known ?? next;
      if (known === undefined) {
        know(shape, columns);
        fresh.push([shape, columns]);
      }
      byIdentity.set(columns, shape);
      return shape;
    },
    fresh: () => fresh,
    kept: () => void (fresh = []),
  };
}
