import type { Database } from 'lmdb';
import type { ColumnSet } from '../../domain/mutation.js';
import { DELETE_SHAPE } from './entry-codec.js';

/** Numbers for column sets: an entry names its columns by four bytes. */
export interface Shapes {
  /** The columns of a number; the same array each time. Null for a delete, undefined for a number never given. */
  columns(shape: number): ColumnSet | null | undefined;
  /** Begins to number the shapes of one transaction. Nothing is known for good before `keep`. */
  draft(): ShapeDraft;
}

export interface ShapeDraft {
  number(columns: ColumnSet | null): number;
  /** Inside the transaction: writes the new ones. */
  write(): void;
  /** After the commit. */
  keep(): void;
}

/** @param store whose database of shapes may be another after a while */
export function openShapes(store: { readonly shapes: Database<string[], number> }): Shapes {
  const byNumber: (ColumnSet | null)[] = [null];
  const byText = new Map<string, number>();
  const byIdentity = new WeakMap<ColumnSet, number>();
  for (const { key, value } of store.shapes.getRange()) {
    byNumber[key] = value;
    byText.set(JSON.stringify(value), key);
  }
  return {
    columns: (shape) => byNumber[shape],
    draft() {
      const fresh = new Map<string, ColumnSet>();
      const numbers = new Map<string, number>();
      return {
        number(columns) {
          if (!columns) return DELETE_SHAPE;
          const known = byIdentity.get(columns);
          if (known !== undefined) return known;
          const text = JSON.stringify(columns);
          const kept = byText.get(text);
          if (kept !== undefined) {
            byIdentity.set(columns, kept);
            return kept;
          }
          const drafted = numbers.get(text) ?? byNumber.length + numbers.size;
          numbers.set(text, drafted);
          fresh.set(text, columns);
          return drafted;
        },
        write() {
          for (const [text, number] of numbers) void store.shapes.put(number, [...(fresh.get(text) ?? [])]);
        },
        keep() {
          for (const [text, number] of numbers) {
            const columns = fresh.get(text);
            if (!columns) continue;
            byNumber[number] = columns;
            byText.set(text, number);
            byIdentity.set(columns, number);
          }
        },
      };
    },
  };
}
