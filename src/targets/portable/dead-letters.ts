import { createHash, randomUUID } from 'node:crypto';
import { parseHlc } from '../../domain/hlc.js';
import { formatTableName } from '../../domain/table.js';
import type { DeadLetterRows, LetterRow } from '../session/dead-letter-box.js';
import type { ApplySessionOptions } from '../target.js';
import type { CheckpointAccess } from './checkpoint-dialect.js';
import { groupedBy, inChunks, placeholders } from './lists.js';
import type { SqlParameter } from './sql-client.js';

type DeadLetterRowsOptions = Pick<ApplySessionOptions, 'stream' | 'plan' | 'group'>;

/** None of its calls begins or ends a transaction. Rows are reached by their whole key, so that no other session's are waited for. */
export function createDeadLetterRows(
  { client, dialect, schema }: CheckpointAccess,
  { stream, plan, group }: DeadLetterRowsOptions,
): DeadLetterRows {
  const letters = dialect.tableName(schema, 'dead_letters');
  const checkpoint = dialect.tableName(schema, 'checkpoint');
  const hlc = dialect.hlcParameter;

  /** stream */
  const CURSOR = `SELECT ${dialect.hlcText('cursor_at')} AS cursor_at, run FROM ${checkpoint} WHERE stream = ?`;
  /** Never changes; null: there is no row. */
  const origin = async (): Promise<{ readonly cursor: string; readonly run: string } | null> => {
    const row = (await client.query(CURSOR, [stream])).rows[0];
    return row === undefined ? null : { cursor: row['cursor_at'] ?? '', run: row['run'] ?? '' };
  };

  /** Source tables of the group; null: of the whole stream. */
  const mine = group?.tables.map((table) => formatTableName(plan[table]?.source ?? { schema: '', table: '' })) ?? null;
  /** stream, cursor, source tables */
  const ofTables = (tables: readonly string[] | null): string =>
    `stream = ? AND hlc > ${hlc}${tables === null ? '' : ` AND source_table IN (${placeholders(tables.length)})`}`;
  /** Lists of tables that one statement takes. */
  const partsOfMine = mine === null ? [null] : inChunks(mine);

  /** source table, key, stream, cursor */
  const KEYS = (count: number): string =>
    `stream = ? AND source_table = ? AND hlc > ${hlc} AND key_hash IN (${placeholders(count)})`;
  /** stream, source table, hash of key, id */
  const ONE = 'stream = ? AND source_table = ? AND key_hash = ? AND letter_id = ?';
  const parametersOf = (id: string): readonly SqlParameter[] => [stream, ...(JSON.parse(id) as readonly string[])];

  const INSERT = `
    INSERT INTO ${letters} (stream, source_table, key_hash, letter_id, run, key_text, row_json, hlc, column_name, error_code, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ${hlc}, ?, ?, ?)`;
  const REFUSED_AGAIN = `
    UPDATE ${letters} SET column_name = ?, error_code = ?, reason = ?, replay = ?, changed_at = CURRENT_TIMESTAMP(6) WHERE ${ONE}`;
  const READ = `SELECT key_text, row_json FROM ${letters} WHERE ${ONE}`;

  /** Those that are asked for, without their rows. */
  const readAsked = async (
    cursor: string,
    most: number,
  ): Promise<readonly Pick<LetterRow, 'id' | 'sourceTable' | 'hlc'>[]> => {
    const found = [];
    for (const tables of partsOfMine) {
      const sql = `SELECT source_table, key_hash, letter_id, ${dialect.hlcText('hlc')} AS hlc_text FROM ${letters}
        WHERE ${ofTables(tables)} AND replay = 1 ORDER BY hlc, letter_id ${dialect.firstRows(most)}`;
      for (const row of (await client.query(sql, [stream, cursor, ...(tables ?? [])])).rows) {
        const sourceTable = row['source_table'] ?? '';
        const id = JSON.stringify([sourceTable, row['key_hash'], row['letter_id']]);
        found.push({ id, sourceTable, hlc: row['hlc_text'] ?? '' });
      }
    }
    return partsOfMine.length === 1 ? found : found.sort(inTime).slice(0, most);
  };

  return {
    async look() {
      const of = await origin();
      let [waiting, asked] = [0, 0];
      if (of === null) return { waiting, asked: false };
      for (const tables of partsOfMine) {
        const sql = `SELECT COUNT(*) AS waiting, SUM(replay) AS asked FROM ${letters} WHERE ${ofTables(tables)}`;
        const row = (await client.query(sql, [stream, of.cursor, ...(tables ?? [])])).rows[0];
        waiting += Number(row?.['waiting'] ?? 0);
        asked += Number(row?.['asked'] ?? 0);
      }
      return { waiting, asked: asked > 0 };
    },

    async supersede(keys) {
      const of = await origin();
      if (of === null) return 0;
      let gone = 0;
      for (const [table, ofTable] of groupedBy(keys, ({ sourceTable }) => sourceTable)) {
        for (const hashes of inChunks([...new Set(ofTable.map(({ key }) => hashOf(key)))])) {
          const sql = `DELETE FROM ${letters} WHERE ${KEYS(hashes.length)}`;
          gone += (await client.query(sql, [stream, table, of.cursor, ...hashes])).rowCount;
        }
      }
      return gone;
    },

    async insert(refused) {
      const of = await origin();
      if (of === null) throw new Error(`stream ${stream} has no checkpoint row`);
      for (const { sourceTable, key, row, hlc: at, column, code, reason } of refused)
        await client.query(INSERT, [
          ...[stream, sourceTable, hashOf(key), randomUUID(), of.run, key, row, at],
          ...[column, code, reason],
        ]);
    },

    async asked(most) {
      const of = await origin();
      if (of === null) return [];
      const rows: LetterRow[] = [];
      let bytes = 0;
      for (const letter of await readAsked(of.cursor, most.letters)) {
        const found = (await client.query(READ, parametersOf(letter.id))).rows[0];
        const row = found?.['row_json'] ?? null;
        bytes += row === null ? 0 : Buffer.byteLength(row);
        if (rows.length > 0 && bytes > most.bytes) break;
        rows.push({ ...letter, key: found?.['key_text'] ?? '', row });
      }
      return rows;
    },

    async remove(ids) {
      for (const id of ids) await client.query(`DELETE FROM ${letters} WHERE ${ONE}`, parametersOf(id));
    },

    async refusedAgain(again) {
      for (const { id, column, code, reason, replay } of again)
        await client.query(REFUSED_AGAIN, [column, code, reason, replay ? '1' : '0', ...parametersOf(id)]);
    },
  };
}

/** As the guard's, of the same bytes. */
function hashOf(key: string): string {
  return createHash('sha256').update(key).digest('hex');
}

function inTime(a: Pick<LetterRow, 'hlc' | 'id'>, b: Pick<LetterRow, 'hlc' | 'id'>): number {
  const [first, second] = [parseHlc(a.hlc), parseHlc(b.hlc)];
  if (first === second) return a.id < b.id ? -1 : 1;
  return first < second ? -1 : 1;
}
