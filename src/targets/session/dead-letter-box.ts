import { parseHlc, formatHlc } from '../../domain/hlc.js';
import type { ColumnSet } from '../../domain/mutation.js';
import { formatTableName } from '../../domain/table.js';
import { collapseMutations } from '../collapse.js';
import type { ApplyMutation, ApplySessionOptions } from '../target.js';
import type { RefusedChange } from './refused-change.js';

/**
 * The dead letters of a stream, in the transactions of its one writer. None begins or ends a transaction. What an earlier run of the same name
 * has left, at or before the cursor, is none of ours: it is not counted, and never applied.
 */
export interface DeadLetterBox {
  /** Counts them, and says whether any is to be tried again. */
  look(): Promise<{ readonly waiting: number; readonly asked: boolean }>;
  /**
   * What a window leaves: the letters of every key that it changes go (protocol rule 28), and what it has refused comes, unless the same window
   * changes that key later.
   * @returns by how many more they are now
   */
  settle(waiting: number, changes: readonly ApplyMutation[], refused: readonly RefusedChange[]): Promise<number>;
  /** Those that are to be tried again, in time order: as many as one transaction may take. */
  asked(): Promise<readonly AskedLetter[]>;
  /** After they were tried: what is taken goes, what is refused stays with its newer error. Returns how many went. */
  close(letters: readonly AskedLetter[], refused: readonly RefusedChange[]): Promise<number>;
}

export interface AskedLetter {
  readonly id: string;
  /** Null: the stream has no such table. */
  readonly change: ApplyMutation | null;
}

/**
 * The rows of the dead letters of one stream, or of one of its groups: what other sessions write is none of this one's (protocol rule 26). A
 * letter at or before the stream's cursor is an earlier run's, and counts for none of these.
 */
export interface DeadLetterRows {
  look(): Promise<{ readonly waiting: number; readonly asked: boolean }>;
  /** Removes the letters of these keys; returns how many. */
  supersede(keys: readonly LetterKey[]): Promise<number>;
  insert(letters: readonly NewLetter[]): Promise<void>;
  /** Those that are to be tried again, in time order, up to these limits; always one at least. */
  asked(most: { readonly letters: number; readonly bytes: number }): Promise<readonly LetterRow[]>;
  remove(ids: readonly string[]): Promise<void>;
  refusedAgain(letters: readonly RefusedAgain[]): Promise<void>;
}

export interface LetterKey {
  readonly sourceTable: string;
  readonly key: string;
}

export interface NewLetter extends LetterKey {
  /** JSON text; null: a delete was refused. */
  readonly row: string | null;
  /** As `formatHlc` writes it. */
  readonly hlc: string;
  readonly column: string | null;
  readonly code: string;
  readonly reason: string;
}

export interface LetterRow extends LetterKey {
  readonly id: string;
  readonly row: string | null;
  readonly hlc: string;
}

export interface RefusedAgain extends Pick<NewLetter, 'column' | 'code' | 'reason'> {
  readonly id: string;
  /** Whether it is to be tried once more. */
  readonly replay: boolean;
}

/** Letters, and bytes of their rows, of one transaction of a replay; and letters of one statement that writes them. */
const MOST_LETTERS = 500;
const MOST_BYTES = 33_554_432;

export function createDeadLetterBox(rows: DeadLetterRows, { plan }: Pick<ApplySessionOptions, 'plan'>): DeadLetterBox {
  const sourceTables = plan.map((table) => formatTableName(table.source));
  const keyOf = ({ table, key }: ApplyMutation): LetterKey => ({
    sourceTable: sourceTables[table] ?? `table ${table}`,
    key: textOf(key),
  });

  const insert = async (refused: readonly RefusedChange[]): Promise<void> => {
    for (let from = 0; from < refused.length; from += MOST_LETTERS) {
      const part = refused.slice(from, from + MOST_LETTERS);
      await rows.insert(
        part.map(({ change, column, code, reason }) => ({
          ...keyOf(change),
          row: change.after === null ? null : textOf(change.after),
          hlc: formatHlc(change.at),
          column,
          code,
          reason,
        })),
      );
    }
  };

  return {
    look: () => rows.look(),

    async settle(waiting, changes, refused) {
      if (waiting === 0 && refused.length === 0) return 0;
      const last = collapseMutations(changes);
      const superseded = waiting === 0 ? 0 : await rows.supersede(last.map(keyOf));
      const isLast = new Set(last);
      const kept = refused.filter(({ change }) => isLast.has(change));
      await insert(kept);
      return kept.length - superseded;
    },

    async asked() {
      const found = await rows.asked({ letters: MOST_LETTERS, bytes: MOST_BYTES });
      const shapes = new Map<string, ColumnSet>();
      return found.map(({ id, sourceTable, key, row, hlc }) => {
        const table = sourceTables.indexOf(sourceTable);
        const after = row === null ? null : Buffer.from(row);
        const columns = row === null ? null : columnsOf(row, shapes);
        return {
          id,
          change: table < 0 ? null : { at: parseHlc(hlc), table, key: Buffer.from(key), after, columns },
        };
      });
    },

    async close(asked, refused) {
      const refusalOf = new Map(refused.map((one) => [one.change, one]));
      const gone = asked.filter(({ change }) => change !== null && !refusalOf.has(change));
      await rows.remove(gone.map(({ id }) => id));
      const again = asked.flatMap(({ id, change }) => {
        const refusal = change === null ? NO_SUCH_TABLE : refusalOf.get(change);
        if (refusal === undefined) return [];
        const { column, code, reason, ofOrder } = refusal;
        // What was taken may be what it waited for.
        return [{ id, column, code, reason, replay: ofOrder && gone.length > 0 }];
      });
      await rows.refusedAgain(again);
      return gone.length;
    },
  };
}

const NO_SUCH_TABLE = { column: null, code: 'no-table', reason: 'the stream has no such table', ofOrder: false };

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** Rows of the same columns share one set, as those of the stage do: a statement's rows are told apart by it. The values go nowhere. */
function columnsOf(row: string, shapes: Map<string, ColumnSet>): ColumnSet {
  const columns = Object.keys(JSON.parse(row) as object);
  const identity = JSON.stringify(columns);
  const known = shapes.get(identity) ?? columns;
  shapes.set(identity, known);
  return known;
}
