import { isUtf8 } from 'node:buffer';
import { HLC_BYTES, type Hlc } from '../domain/hlc.js';
import type { IncomingMutation } from '../domain/mutation.js';
import type { StreamPlan } from '../domain/table.js';
import type { AcceptResult, Stage } from '../staging/stage.js';
import { createEnvelopeScanner, type ScannedItem } from './envelope-scan.js';
import { EnvelopeError, UnknownTopicError } from './envelope-error.js';
import { createKeyReader, type KeyReader } from './key-canon.js';
import { writeTimestamp } from './timestamp-scan.js';

export interface IntakeOptions {
  readonly stream: string;
  readonly plan: StreamPlan;
  readonly stage: Stage;
  /** C, the checkpoint as committed on the target. */
  readonly committed: () => Hlc;
  /** Whether rows that are not staged yet may be taken now (protocol rule 12); always, where it is not given. */
  readonly mayGrow?: () => boolean;
  /** Immediate mode: what is staged is applied before it is acknowledged, or left to the apply loop (protocol rule 27). */
  readonly applyAtOnce?: (rows: readonly IncomingMutation[]) => Promise<void>;
  /** Called after a body was taken durably. */
  readonly onAccepted?: (taken: TakenBody) => void;
}

export interface TakenBody extends AcceptResult {
  readonly rows: number;
  readonly bytes: number;
  readonly resolved: Hlc | null;
}

/** Totals since the intake was made. */
export interface IntakeFigures {
  readonly bodies: number;
  readonly rows: number;
  readonly bytes: number;
  readonly staged: number;
  readonly dropped: number;
  readonly redelivered: number;
  /** Rows never seen at or before resolved: any is an alarm (protocol rule 10). */
  readonly late: number;
  /** The first resolved timestamp taken durably: the proof of delivery. */
  readonly firstResolved: Hlc | null;
  readonly lastResolved: Hlc | null;
  /** When the last body was taken, in milliseconds of `performance.now()`; null before the first. */
  readonly lastBodyAt: number | null;
}

export interface Intake {
  /**
   * Takes one body. Resolves when all of it is durable: what is acknowledged cannot be lost (invariant 1).
   * @throws EnvelopeError, UnknownTopicError, StaleIncarnationError and what the stage throws; nothing is acknowledged then
   */
  readonly receive: (incarnation: number, body: Buffer) => Promise<void>;
  figures(): IntakeFigures;
}

interface IntakeTable {
  readonly number: number;
  readonly keys: KeyReader;
}

/** The intake of one stream: from a body to durable rows. */
export function createIntake({
  stream,
  plan,
  stage,
  committed,
  mayGrow,
  applyAtOnce,
  onAccepted,
}: IntakeOptions): Intake {
  const scan = createEnvelopeScanner();
  const tables = new Map<string, IntakeTable>();
  plan.forEach((table, number) => tables.set(table.topic, { number, keys: createKeyReader(table.keyColumns) }));
  const total = { bodies: 0, rows: 0, bytes: 0, staged: 0, dropped: 0, redelivered: 0, late: 0 };
  let firstResolved: Hlc | null = null;
  let lastResolved: Hlc | null = null;
  let lastBodyAt: number | null = null;

  function read(body: Buffer) {
    if (!isUtf8(body)) throw new EnvelopeError('it is not UTF-8', 0);
    const rows: IncomingMutation[] = [];
    let topicText = '';
    let table: IntakeTable | undefined;
    const { resolved } = scan(body, (item) => {
      const text = body.toString('latin1', item.topicStart, item.topicEnd);
      if (!table || text !== topicText) {
        table = tableOf(body, item);
        topicText = text;
      }
      rows.push(mutation(body, item, table));
    });
    return { rows, resolved };
  }

  function tableOf(body: Buffer, item: ScannedItem): IntakeTable {
    const topic = JSON.parse(body.toString('utf8', item.topicStart - 1, item.topicEnd + 1)) as string;
    const table = tables.get(topic);
    if (!table) throw new UnknownTopicError(topic, stream);
    return table;
  }

  return {
    async receive(incarnation, body) {
      const { rows, resolved } = read(body);
      // A body without rows is never refused.
      const grows = rows.length === 0 || (mayGrow?.() ?? true);
      const result = await stage.accept(incarnation, rows, committed(), grows);
      if (rows.length > 0) await applyAtOnce?.(rows);
      // Only after the rows are durable: should they be refused, resolved must not pass them (protocol rule B).
      if (resolved !== null) await stage.resolve(incarnation, resolved);
      total.bodies++;
      total.rows += rows.length;
      total.bytes += body.length;
      total.staged += result.staged;
      total.dropped += result.dropped;
      total.redelivered += result.redelivered;
      total.late += result.late;
      lastBodyAt = performance.now();
      if (resolved !== null) {
        firstResolved ??= resolved;
        if (lastResolved === null || resolved > lastResolved) lastResolved = resolved;
      }
      onAccepted?.({ ...result, rows: rows.length, bytes: body.length, resolved });
    },
    figures: () => ({ ...total, firstResolved, lastResolved, lastBodyAt }),
  };
}

function mutation(body: Buffer, item: ScannedItem, { number, keys }: IntakeTable): IncomingMutation {
  const at = Buffer.allocUnsafe(HLC_BYTES);
  writeTimestamp(at, 0, item.updated);
  const key = keys.canonical(body, item.keyStart, item.keyEnd);
  if (item.afterStart < 0) return { at, table: number, key, after: null, columns: null };
  keys.requireMatch(body, item.row);
  return { at, table: number, key, after: body.subarray(item.afterStart, item.afterEnd), columns: item.row.columns };
}
