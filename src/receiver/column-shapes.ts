import type { ColumnSet } from '../domain/mutation.js';
import { skipBlank, skipColon, skipComma, skipString, skipValue, unexpected } from './json-scan.js';

const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
/** More shapes than a schema can have: forget and begin again rather than grow for ever. */
const MAX_SHAPES = 10_000;

/** A column set and the bytes in which the changefeed writes its names, quotes included. */
interface Shape {
  readonly columns: ColumnSet;
  readonly names: readonly Uint8Array[];
}

/** Where the values of the row scanned last are. Overwritten by the next scan. */
export interface RowValues {
  columns: ColumnSet;
  /** Start of the value of column i, and the offset behind it. */
  readonly starts: number[];
  readonly ends: number[];
}

/** Reads the names of the columns of `after`, interned: one array for each set, whatever the row. */
export function createRowScanner() {
  const byNames = new Map<string, Shape>();
  const byColumns = new Map<string, ColumnSet>();
  let expected: Shape = { columns: [], names: [] };
  const values: RowValues = { columns: [], starts: [], ends: [] };
  const nameStarts: number[] = [];
  const nameEnds: number[] = [];

  /** Scans the object at `pos`; returns the offset behind it and leaves its columns in `values`. */
  function scan(b: Uint8Array, pos: number): number {
    if (b[pos] !== OPEN_OBJECT) throw unexpected(b, pos, 'an object');
    const { starts, ends } = values;
    const names = expected.names;
    let count = 0;
    let asExpected = true;
    pos = skipBlank(b, pos + 1);
    if (b[pos] === CLOSE_OBJECT) pos++;
    else
      for (;;) {
        const name = asExpected ? names[count] : undefined;
        const start = pos;
        // Most rows have the columns of the row before: compared byte by byte, nothing is decoded.
        if (name !== undefined && startsWith(b, pos, name)) pos += name.length;
        else {
          asExpected = false;
          pos = skipString(b, pos);
        }
        nameStarts[count] = start;
        nameEnds[count] = pos;
        pos = skipColon(b, pos);
        starts[count] = pos;
        pos = skipValue(b, pos);
        ends[count] = pos;
        count++;
        pos = skipBlank(b, pos);
        if (b[pos] === CLOSE_OBJECT) {
          pos++;
          break;
        }
        pos = skipComma(b, pos);
      }
    if (!asExpected || count !== names.length) expected = lookUp(b, count);
    values.columns = expected.columns;
    return pos;
  }

  function lookUp(b: Uint8Array, count: number): Shape {
    const names: Uint8Array[] = [];
    let text = '';
    for (let i = 0; i < count; i++) {
      const name = Buffer.from(b.subarray(nameStarts[i], nameEnds[i]));
      names.push(name);
      text += name.toString('latin1');
    }
    const known = byNames.get(text);
    if (known) return known;
    if (byNames.size >= MAX_SHAPES) {
      byNames.clear();
      byColumns.clear();
    }
    const decoded = names.map((name) => JSON.parse(Buffer.from(name).toString()) as string);
    const key = JSON.stringify(decoded);
    const columns = byColumns.get(key) ?? Object.freeze(decoded);
    byColumns.set(key, columns);
    const shape = { columns, names };
    byNames.set(text, shape);
    return shape;
  }

  return { scan, values };
}

function startsWith(b: Uint8Array, pos: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) if (b[pos + i] !== name[i]) return false;
  return true;
}
