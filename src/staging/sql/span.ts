import { readHlc, type Hlc } from '../../domain/hlc.js';
import type { SpanLimits, StagedMutation, StagedSpan } from '../stage.js';
import { StageCorruptError } from './errors.js';
import { encodeHlc } from '../encode-hlc.js';
import { storedKey } from './rows.js';
import type { Shapes } from './shapes.js';
import { BEHIND_ALL_TABLES } from './statements.js';

/** One row of a page of `read`. */
export type EntryRow = readonly [
  ts: Buffer,
  tab: number,
  key: Buffer,
  whole: Buffer | null,
  shape: number,
  rowAfter: Buffer | null,
];

export interface PageWish {
  /** Behind this place. */
  readonly ts: Buffer;
  readonly tab: number;
  readonly key: Uint8Array;
  /** Rows and bytes of `after` at most, but for the row with which the bytes are reached. */
  readonly rows: number;
  readonly bytes: number;
}

export interface SpanSource {
  /** For messages. */
  readonly place: string;
  /** Reads on up to and with the span's last timestamp. */
  readonly readPage: (wish: PageWish) => Promise<readonly EntryRow[]>;
  readonly shapes: () => Shapes;
}

/** A place within a timestamp: behind that change. An empty key is before all keys of its table. */
type Position = Pick<StagedMutation, 'at' | 'table' | 'key'>;
type Limits = SpanLimits & { readonly maySplit?: boolean };

/** One answer must not hold more, whatever the limits are. */
const PAGE_ROWS = 5_000;
const PAGE_BYTES = 8_388_608;
/** When a limit is reached, what is left of its timestamp is mostly nothing. */
const REST_ROWS = 100;

/** Reads (after, upTo] until a limit is reached, and then, unless it may split, to the end of that timestamp (protocol rules 11 and 20). */
export async function readSpan(
  { place, readPage, shapes }: SpanSource,
  after: Hlc | Position,
  upTo: Hlc,
  limits: Limits,
): Promise<StagedSpan & { readonly cut: boolean }> {
  const within = typeof after === 'bigint' ? null : after;
  let at = typeof after === 'bigint' ? after : after.at;
  if (within === null ? upTo <= at : upTo < at) return { mutations: [], end: at, cut: false };
  const mutations: StagedMutation[] = [];
  let bytes = 0;
  const isFull = (): boolean => mutations.length >= limits.rows || bytes >= limits.bytes;
  let atBytes = within === null ? null : encodeHlc(at);
  let wish: PageWish = {
    ts: encodeHlc(at),
    tab: within === null ? BEHIND_ALL_TABLES : within.table,
    key: within === null ? Buffer.alloc(0) : storedKey(within.key),
    ...pageOf(limits.rows, limits.bytes),
  };
  for (;;) {
    const page = await readPage(wish);
    let pageBytes = 0;
    for (const [ts, table, key, whole, shape, rowAfter] of page) {
      if (atBytes === null || ts.compare(atBytes) !== 0) {
        if (isFull()) return { mutations, end: at, cut: false };
        at = readHlc(ts, 0);
        atBytes = ts;
      } else if (limits.maySplit === true && isFull()) return { mutations, end: at, cut: true };
      const columns = shapes().columns(shape);
      if (columns === undefined) throw new StageCorruptError(place, `an entry names the unknown column set ${shape}`);
      mutations.push({ at, table, key: whole ?? key, after: columns && (rowAfter ?? Buffer.alloc(0)), columns });
      bytes += rowAfter?.length ?? 0;
      pageBytes += rowAfter?.length ?? 0;
    }
    const last = page.at(-1);
    if (last === undefined || (page.length < wish.rows && pageBytes < wish.bytes))
      return { mutations, end: upTo, cut: false };
    const [ts, tab, key] = last;
    const rest = wish.rows === REST_ROWS ? PAGE_ROWS : REST_ROWS;
    wish = {
      ts,
      tab,
      key,
      ...(isFull() ? { rows: rest, bytes: PAGE_BYTES } : pageOf(limits.rows - mutations.length, limits.bytes - bytes)),
    };
  }
}

/** One row more than asked for says whether the last timestamp goes on. */
function pageOf(rows: number, bytes: number): Pick<PageWish, 'rows' | 'bytes'> {
  return { rows: Math.min(PAGE_ROWS, rows + 1), bytes: Math.min(PAGE_BYTES, bytes + 1) };
}
