import { setImmediate as turn } from 'node:timers/promises';
import type { Hlc } from '../domain/hlc.js';
import type { SpanLimits, Stage, StagedMutation, StagedSpan, StagePosition } from '../staging/stage.js';
import type { AppliedStage } from './loop.js';
import { SCAN_SIZE } from './read-ahead.js';

/** Groups of one stream stand near each other most of the time: what one has read, the others need. */
export interface SharedReads {
  /** The stage as a group sees it: the changes of its own tables. It purges nothing: the others may still need it. */
  viewOf(tables: readonly number[]): AppliedStage;
}

export interface SharedReadsLimits {
  /** Rows read from the stage at once. */
  readonly scanSize?: number | undefined;
  /** Rows and bytes that are kept for the other groups. */
  readonly rows: number;
  readonly bytes: number;
}

/** So many slices are looked through with every read. */
const MOST_KEPT = 256;

/** All changes in (after, end]; it never ends within a timestamp. */
interface Slice {
  readonly after: Hlc;
  readonly end: Hlc;
  readonly mutations: readonly StagedMutation[];
  readonly bytes: number;
}

export function createSharedReads(stage: Stage, limits: SharedReadsLimits): SharedReads {
  const { scanSize = SCAN_SIZE } = limits;
  let kept: Slice[] = [];
  let late = stage.lateRows();
  /** Slices that are being read, by where they begin. */
  const reading = new Map<Hlc, { readonly upTo: Hlc; readonly slice: Promise<Slice | null> }>();

  function keep(slice: Slice): void {
    if (slice.mutations.length === 0) return;
    kept.push(slice);
    if (kept.length > MOST_KEPT) kept.shift();
    let rows = 0;
    let bytes = 0;
    // The latest are kept.
    const first = kept.findLastIndex((one) => {
      rows += one.mutations.length;
      bytes += one.bytes;
      return rows > limits.rows || bytes > limits.bytes;
    });
    if (first >= 0) kept = kept.slice(first + 1);
  }

  /** Null: what follows is a timestamp that is larger than a slice. */
  async function readSlice(after: Hlc, upTo: Hlc): Promise<Slice | null> {
    const span = await stage.read(after, upTo, { rows: scanSize, bytes: limits.bytes, maySplit: true });
    const whole = span.cut ? span.mutations.findIndex(({ at }) => at === span.end) : span.mutations.length;
    if (span.cut && whole <= 0) return null;
    const mutations = span.mutations.slice(0, whole);
    const slice = {
      after,
      end: span.cut ? (mutations.at(-1)?.at ?? after) : span.end,
      mutations,
      bytes: mutations.reduce((sum, one) => sum + (one.after?.length ?? 0), 0),
    };
    keep(slice);
    return slice;
  }

  function sliceAfter(after: Hlc, upTo: Hlc): Promise<Slice | null> {
    // A row that came late is not in what was read before it.
    if (late !== stage.lateRows()) {
      kept = [];
      reading.clear();
      late = stage.lateRows();
    }
    const known = kept.findLast((slice) => slice.after <= after && after < slice.end);
    if (known !== undefined) return Promise.resolve(known);
    const underWay = reading.get(after);
    if (underWay !== undefined && underWay.upTo <= upTo) return underWay.slice;
    const mine = {
      upTo,
      slice: readSlice(after, upTo).finally(() => {
        if (reading.get(after) === mine) reading.delete(after);
      }),
    };
    reading.set(after, mine);
    return mine.slice;
  }

  /** Of one timestamp, from a place in it on: read past what is not of these tables, however much it is. */
  async function readTimestamp(
    from: StagePosition,
    tables: ReadonlySet<number>,
    { rows, bytes }: SpanLimits,
  ): Promise<StagedSpan> {
    const mutations: StagedMutation[] = [];
    let size = 0;
    let place: StagePosition | null = from;
    while (place !== null) {
      const span: StagedSpan = await stage.read(place, from.at, { rows: scanSize, bytes, maySplit: true });
      for (const mutation of span.mutations) {
        if (!tables.has(mutation.table)) continue;
        // At the limit, and there is another.
        if (mutations.length >= rows || size >= bytes) return { mutations, end: from.at, cut: true };
        mutations.push(mutation);
        size += mutation.after?.length ?? 0;
      }
      place = span.cut ? (span.mutations.at(-1) ?? null) : null;
      if (place !== null) await turn();
    }
    return { mutations, end: from.at, cut: false };
  }

  async function readOf(
    tables: ReadonlySet<number>,
    after: Hlc | StagePosition,
    upTo: Hlc,
    wanted: SpanLimits,
  ): Promise<StagedSpan> {
    if (typeof after !== 'bigint') return readTimestamp(after, tables, wanted);
    if (upTo <= after) return { mutations: [], end: after, cut: false };
    const slice = await sliceAfter(after, upTo);
    if (slice === null) {
      const [first] = (await stage.read(after, upTo, { rows: 1, bytes: 1, maySplit: true })).mutations;
      if (first === undefined) return { mutations: [], end: upTo, cut: false };
      return readTimestamp({ at: first.at, table: 0, key: NO_KEY }, tables, wanted);
    }
    const mutations: StagedMutation[] = [];
    let size = 0;
    for (const mutation of slice.mutations) {
      if (mutation.at <= after) continue;
      if (mutation.at > upTo) return { mutations, end: upTo, cut: false };
      if (!tables.has(mutation.table)) continue;
      const last = mutations.at(-1)?.at;
      const full = mutations.length >= wanted.rows || size >= wanted.bytes;
      if (full && last !== undefined && last !== mutation.at) return { mutations, end: last, cut: false };
      mutations.push(mutation);
      size += mutation.after?.length ?? 0;
    }
    return { mutations, end: slice.end < upTo ? slice.end : upTo, cut: false };
  }

  return {
    viewOf(tables) {
      const own = new Set(tables);
      return {
        binding: () => stage.binding(),
        lateRows: () => stage.lateRows(),
        read: (after, upTo, wanted) => readOf(own, after, upTo, wanted),
        purge: () => Promise.resolve(),
      };
    },
  };
}

const NO_KEY = new Uint8Array(0);
