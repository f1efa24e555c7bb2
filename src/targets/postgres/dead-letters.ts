import { escapeIdentifier } from 'pg';
import type pg from 'pg';
import { formatHlc, parseHlc } from '../../domain/hlc.js';
import type { ColumnSet } from '../../domain/mutation.js';
import { formatTableName } from '../../domain/table.js';
import { collapseMutations } from '../collapse.js';
import type { ApplyMutation, ApplySessionOptions } from '../target.js';
import type { RefusedChange } from './span-writer.js';

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

type DeadLetterBoxOptions = Pick<ApplySessionOptions, 'checkpointSchema' | 'stream' | 'plan' | 'group'>;

/** Letters, and bytes of their rows, of one transaction of a replay, and of one statement that writes them. */
const MOST_LETTERS = 500;
const MOST_BYTES = 33_554_432;

/** @param group those of its tables only: what other sessions write is none of this one's (protocol rule 26) */
export function createDeadLetterBox(
  client: pg.Client,
  { checkpointSchema: schema, stream, plan, group }: DeadLetterBoxOptions,
): DeadLetterBox {
  const letters = `${escapeIdentifier(schema)}.dead_letters`;
  const checkpoint = `${escapeIdentifier(schema)}.checkpoint`;
  const sourceTables = plan.map((table) => formatTableName(table.source));
  const sourceTableOf = ({ table }: ApplyMutation): string => sourceTables[table] ?? `table ${table}`;

  /** $1 = the table. A schema that an earlier release has made lacks it. */
  const THERE = 'SELECT to_regclass($1) IS NOT NULL AS there';
  /** $1 = stream */
  const OURS = `letter.stream = $1 AND letter.hlc > (SELECT cursor FROM ${checkpoint} WHERE stream = $1)`;
  /** Source tables of the group; null: of the whole stream. */
  const mine = group?.tables.map((table) => sourceTables[table] ?? '') ?? null;

  /** $1 = stream, $2 = source tables */
  const LOOK = `SELECT count(*)::int AS waiting, coalesce(bool_or(replay), false) AS asked FROM ${letters} AS letter WHERE ${OURS} AND ${ofTables('$2')}`;

  /** $1 = stream, $2 = source tables, $3 = keys */
  const SUPERSEDE = `
    DELETE FROM ${letters} AS letter USING unnest($2::text[], $3::text[]) AS changed(source_table, key)
    WHERE ${OURS} AND letter.source_table = changed.source_table
      AND hashtextextended(letter.key, 0) = hashtextextended(changed.key, 0) AND letter.key = changed.key`;

  /** $1 = stream, $2 = source tables, $3 = keys, $4 = rows, $5 = HLCs, $6 = columns, $7 = SQLSTATEs, $8 = reasons */
  const INSERT = `
    INSERT INTO ${letters} (run, stream, source_table, key, row_json, hlc, column_name, sqlstate, reason)
    SELECT run, stream, refused.* FROM ${checkpoint},
      unnest($2::text[], $3::text[], $4::text[], $5::numeric[], $6::text[], $7::text[], $8::text[]) AS refused
    WHERE stream = $1`;

  /** $1 = stream, $2 = most letters, $3 = most bytes, $4 = source tables; always one at least */
  const ASKED = `
    SELECT id, source_table AS "sourceTable", key, row_json AS "row", hlc::text AS hlc FROM (
      SELECT *, sum(coalesce(octet_length(row_json), 0)) OVER (ORDER BY hlc, id) - coalesce(octet_length(row_json), 0) AS before
      FROM ${letters} AS letter WHERE replay AND ${OURS} AND ${ofTables('$4')} ORDER BY hlc, id LIMIT $2) AS asked
    WHERE before < $3 ORDER BY asked.hlc, id`;

  /** $1 = ids */
  const REMOVE = `DELETE FROM ${letters} WHERE id = ANY ($1::bigint[])`;

  /** $1 = ids, $2 = columns, $3 = SQLSTATEs, $4 = reasons, $5 = whether they are to be tried again */
  const REFUSED_AGAIN = `
    UPDATE ${letters} AS letter SET column_name = again.column_name, sqlstate = again.sqlstate, reason = again.reason,
      replay = again.replay, changed_at = now()
    FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::boolean[]) AS again(id, column_name, sqlstate, reason, replay)
    WHERE letter.id = again.id`;

  const insert = async (refused: readonly RefusedChange[]): Promise<void> => {
    for (let from = 0; from < refused.length; from += MOST_LETTERS) {
      const part = refused.slice(from, from + MOST_LETTERS);
      await client.query(INSERT, [
        stream,
        part.map(({ change }) => sourceTableOf(change)),
        part.map(({ change }) => textOf(change.key)),
        part.map(({ change }) => (change.after === null ? null : textOf(change.after))),
        part.map(({ change }) => formatHlc(change.at)),
        part.map(({ column }) => column),
        part.map(({ code }) => code),
        part.map(({ reason }) => reason),
      ]);
    }
  };

  return {
    async look() {
      const { rows: found } = await client.query<{ there: boolean }>(THERE, [letters]);
      if (found[0]?.there !== true) return { waiting: 0, asked: false };
      const { rows } = await client.query<{ waiting: number; asked: boolean }>(LOOK, [stream, mine]);
      return rows[0] ?? { waiting: 0, asked: false };
    },

    async settle(waiting, changes, refused) {
      if (waiting === 0 && refused.length === 0) return 0;
      const last = collapseMutations(changes);
      const superseded =
        waiting === 0
          ? null
          : await client.query(SUPERSEDE, [stream, last.map(sourceTableOf), last.map(({ key }) => textOf(key))]);
      const isLast = new Set(last);
      const kept = refused.filter(({ change }) => isLast.has(change));
      await insert(kept);
      return kept.length - (superseded?.rowCount ?? 0);
    },

    async asked() {
      const { rows } = await client.query<LetterRow>(ASKED, [stream, MOST_LETTERS, MOST_BYTES, mine]);
      const shapes = new Map<string, ColumnSet>();
      return rows.map(({ id, sourceTable, key, row, hlc }) => {
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
      await client.query(REMOVE, [gone.map(({ id }) => id)]);
      const again = asked.flatMap(({ id, change }) => {
        const refusal = change === null ? NO_SUCH_TABLE : refusalOf.get(change);
        return refusal === undefined ? [] : [{ id, ...refusal }];
      });
      await client.query(REFUSED_AGAIN, [
        again.map(({ id }) => id),
        again.map(({ column }) => column),
        again.map(({ code }) => code),
        again.map(({ reason }) => reason),
        // What was taken may be what it waited for.
        again.map(({ ofOrder }) => ofOrder && gone.length > 0),
      ]);
      return gone.length;
    },
  };
}

/** SQL of a condition on `letter`; a parameter that is null asks for every table. */
function ofTables(parameter: string): string {
  return `(${parameter}::text[] IS NULL OR letter.source_table = ANY (${parameter}))`;
}

interface LetterRow {
  readonly id: string;
  readonly sourceTable: string;
  readonly key: string;
  readonly row: string | null;
  readonly hlc: string;
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
