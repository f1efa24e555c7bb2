import { escapeIdentifier } from 'pg';
import type pg from 'pg';
import { formatTableName } from '../../domain/table.js';
import type { DeadLetterRows, LetterRow } from '../session/dead-letter-box.js';
import type { ApplySessionOptions } from '../target.js';

type DeadLetterRowsOptions = Pick<ApplySessionOptions, 'checkpointSchema' | 'stream' | 'plan' | 'group'>;

/** None of its calls begins or ends a transaction. */
export function createDeadLetterRows(
  client: pg.Client,
  { checkpointSchema: schema, stream, plan, group }: DeadLetterRowsOptions,
): DeadLetterRows {
  const letters = `${escapeIdentifier(schema)}.dead_letters`;
  const checkpoint = `${escapeIdentifier(schema)}.checkpoint`;
  const sourceTables = plan.map((table) => formatTableName(table.source));

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

  return {
    async look() {
      const { rows: found } = await client.query<{ there: boolean }>(THERE, [letters]);
      if (found[0]?.there !== true) return { waiting: 0, asked: false };
      const { rows } = await client.query<{ waiting: number; asked: boolean }>(LOOK, [stream, mine]);
      return rows[0] ?? { waiting: 0, asked: false };
    },

    async supersede(keys) {
      const { rowCount } = await client.query(SUPERSEDE, [
        stream,
        keys.map(({ sourceTable }) => sourceTable),
        keys.map(({ key }) => key),
      ]);
      return rowCount ?? 0;
    },

    async insert(refused) {
      await client.query(INSERT, [
        stream,
        refused.map(({ sourceTable }) => sourceTable),
        refused.map(({ key }) => key),
        refused.map(({ row }) => row),
        refused.map(({ hlc }) => hlc),
        refused.map(({ column }) => column),
        refused.map(({ code }) => code),
        refused.map(({ reason }) => reason),
      ]);
    },

    async asked(most) {
      return (await client.query<LetterRow>(ASKED, [stream, most.letters, most.bytes, mine])).rows;
    },

    async remove(ids) {
      await client.query(REMOVE, [ids]);
    },

    async refusedAgain(again) {
      await client.query(REFUSED_AGAIN, [
        again.map(({ id }) => id),
        again.map(({ column }) => column),
        again.map(({ code }) => code),
        again.map(({ reason }) => reason),
        again.map(({ replay }) => replay),
      ]);
    },
  };
}

/** SQL of a condition on `letter`; a parameter that is null asks for every table. */
function ofTables(parameter: string): string {
  return `(${parameter}::text[] IS NULL OR letter.source_table = ANY (${parameter}))`;
}
