import { stageTable } from './schema.js';

/** Greater than every table number: behind all changes of a timestamp. */
export const BEHIND_ALL_TABLES = 65_536;

const STATE = 'id, fill, incarnation, floor, resolved, plan, entries, bytes';
const SIZE = 'octet_length(key) + coalesce(octet_length(whole), 0) + coalesce(octet_length(row_after), 0)';

export type StageStatements = ReturnType<typeof stageStatements>;

/**
 * The statements of one staging schema, which run unchanged on PostgreSQL and CockroachDB. Each write is one statement and one transaction. It
 * begins by locking the stream's row under the token of this connection, or writes nothing: `mine` is empty for whoever has been fenced, and for
 * a statement of ours that arrives after its connection was given up (protocol rule 38).
 */
export function stageStatements(schema: string) {
  const stages = stageTable(schema, 'failback_stages');
  const entries = stageTable(schema, 'failback_entries');
  const columns = stageTable(schema, 'failback_columns');
  /** $1 = stream, $2 = token */
  const mine = `SELECT stream, fill FROM ${stages} WHERE stream = $1 AND token = $2 FOR UPDATE`;
  /** Moves the totals of the stream's row by what a part of the statement has done. */
  const totals = (sign: '+' | '-', rows: string): string =>
    `entries = entries ${sign} (SELECT CAST(count(*) AS int8) FROM ${rows}),
    bytes = bytes ${sign} (SELECT CAST(coalesce(sum(size), 0) AS int8) FROM ${rows})`;

  return {
    /** Whoever opens last has the stage. $1 = stream, $2 = id of a stage that is not there yet, $3 = owner, $4 = token */
    open: `
INSERT INTO ${stages} AS held (stream, id, owner, token) VALUES ($1, $2, $3, $4)
ON CONFLICT (stream) DO UPDATE SET owner = excluded.owner, token = excluded.token
RETURNING ${STATE}`,

    /** The same owner on another connection. It waits for what the last one may still be doing. $1 = stream, $2 = owner, $3 = token */
    again: `UPDATE ${stages} SET token = $3 WHERE stream = $1 AND owner = $2 RETURNING ${STATE}`,

    /** $1 = stream, $2 = token */
    letGo: `UPDATE ${stages} SET owner = NULL, token = NULL WHERE stream = $1 AND token = $2`,

    /** $1 = stream */
    readColumns: `SELECT shape, names FROM ${columns} WHERE stream = $1`,

    /** $3 = numbers, $4 = names as JSON, one behind the other, $5 = where each begins, $6 = its length */
    addColumns: `
WITH mine AS (${mine}), added AS (
  INSERT INTO ${columns} (stream, shape, names)
  SELECT mine.stream, given.shape, substring($4::bytea, given.start, given.length)
  FROM mine CROSS JOIN unnest($3::int4[], $5::int4[], $6::int4[]) AS given(shape, start, length)
  ON CONFLICT (stream, shape) DO NOTHING
)
SELECT stream FROM mine`,

    /**
     * Rows and the resolved timestamp that covers them. Answers with the rows that were there already, in a row of NULLs where there are none, and
     * with nothing where the fence is lost. A row whose key has the hash of another one is left out, so that `put` falls short.
     * $3 = number of this statement, $4 = resolved, $5 = the rows' bytes: timestamp, key, whole key, `after`, one behind the other,
     * $6 = where each row begins, $7 = table, $8 = shape, $9 = length of the key, $10 = of the whole key (-1: none), $11 = of `after` (-1: none)
     */
    accept: `
WITH mine AS (${mine}), put AS (
  INSERT INTO ${entries} AS held (stream, fill, ts, tab, key, whole, shape, row_after, written)
  SELECT mine.stream, mine.fill, substring($5::bytea, given.start, 12), given.tab,
    substring($5::bytea, given.start + 12, given.key_length),
    CASE WHEN given.whole_length < 0 THEN NULL
      ELSE substring($5::bytea, given.start + 12 + given.key_length, given.whole_length) END,
    given.shape,
    CASE WHEN given.after_length < 0 THEN NULL
      ELSE substring($5::bytea, given.start + 12 + given.key_length + greatest(given.whole_length, 0), given.after_length) END,
    $3::int8
  FROM mine CROSS JOIN unnest($6::int4[], $7::int4[], $8::int4[], $9::int4[], $10::int4[], $11::int4[])
    AS given(start, tab, shape, key_length, whole_length, after_length)
  ON CONFLICT (stream, fill, ts, tab, key) DO UPDATE SET shape = excluded.shape, row_after = excluded.row_after
  WHERE held.whole IS NOT DISTINCT FROM excluded.whole
  RETURNING ts, tab, key, written, ${SIZE} AS size
), counted AS (
  UPDATE ${stages} SET resolved = $4, ${totals('+', 'put WHERE written = $3::int8')}
  WHERE stream = $1 AND EXISTS (SELECT 1 FROM mine)
  RETURNING entries, bytes
)
SELECT counted.entries, counted.bytes, (SELECT count(*) FROM put) AS put, again.ts, again.tab, again.key
FROM counted LEFT JOIN (SELECT ts, tab, key FROM put WHERE written <> $3::int8) AS again ON true`,

    /** How many of these rows are there. $1 = stream, $2 = fill, $3 = timestamps, $4 = tables, $5 = keys */
    held: `
SELECT count(*) AS held FROM unnest($3::bytea[], $4::int4[], $5::bytea[]) AS given(ts, tab, key)
JOIN ${entries} AS entry ON entry.stream = $1 AND entry.fill = $2::int8
  AND entry.ts = given.ts AND entry.tab = given.tab AND entry.key = given.key`,

    /** $3 = resolved */
    resolve: `UPDATE ${stages} SET resolved = $3 WHERE stream = $1 AND token = $2 RETURNING stream`,

    /** The entries of the fill before are not the stream's any more, however many they are (protocol rule B). $3 = incarnation, $4 = cursor, $5 = plan */
    bind: `
UPDATE ${stages} SET fill = fill + 1, incarnation = $3, floor = $4, resolved = $4, plan = $5, entries = 0, bytes = 0
WHERE stream = $1 AND token = $2
RETURNING fill`,

    /** $3 = incarnation */
    renew: `UPDATE ${stages} SET incarnation = $3 WHERE stream = $1 AND token = $2 RETURNING stream`,

    /** The place up to which so many changes lie. $1 = stream, $2 = fill, $3 = after this timestamp, $4 = up to this one, $5 = so many less one */
    purgeEdge: `
SELECT ts, tab, key FROM ${entries} WHERE stream = $1 AND fill = $2::int8 AND ts > $3::bytea AND ts <= $4::bytea
ORDER BY ts, tab, key LIMIT 1 OFFSET $5`,

    /** $3 = fill, $4 = after this timestamp, $5 to $7 = up to this place, $8 = floor */
    purge: `
WITH mine AS (${mine}), gone AS (
  DELETE FROM ${entries}
  WHERE stream = $1 AND fill = $3::int8 AND ts > $4::bytea AND ts <= $5::bytea AND (ts, tab, key) <= ($5::bytea, $6::int4, $7::bytea)
    AND EXISTS (SELECT 1 FROM mine)
  RETURNING ${SIZE} AS size
), counted AS (
  UPDATE ${stages} SET floor = $8, ${totals('-', 'gone')}
  WHERE stream = $1 AND EXISTS (SELECT 1 FROM mine)
  RETURNING entries, bytes
)
SELECT entries, bytes FROM counted`,

    /** Of fills before the present one, which nobody reads. $1 = stream, $2 = fill, $3 = so many less one */
    leftoverEdge: `
SELECT fill, ts, tab, key FROM ${entries} WHERE stream = $1 AND fill < $2::int8
ORDER BY fill, ts, tab, key LIMIT 1 OFFSET $3`,

    /** $1 = stream, $2 to $5 = up to this place */
    purgeLeftover: `
DELETE FROM ${entries}
WHERE stream = $1 AND fill <= $2::int8 AND (fill, ts, tab, key) <= ($2::int8, $3::bytea, $4::int4, $5::bytea)`,

    /**
     * A page, up to and with the row with which the bytes of `after` reach $8.
     * $1 = stream, $2 = fill, $3 to $5 = behind this place, $6 = up to this timestamp, $7 = rows at most
     */
    read: `
SELECT ts, tab, key, whole, shape, row_after FROM (
  SELECT ts, tab, key, whole, shape, row_after, size, sum(size) OVER (ORDER BY ts, tab, key ROWS UNBOUNDED PRECEDING) AS total
  FROM (
    SELECT ts, tab, key, whole, shape, row_after, coalesce(octet_length(row_after), 0) AS size
    FROM ${entries}
    WHERE stream = $1 AND fill = $2::int8 AND ts >= $3::bytea AND ts <= $6::bytea
      AND (ts, tab, key) > ($3::bytea, $4::int4, $5::bytea)
    ORDER BY ts, tab, key LIMIT $7
  ) AS page
) AS measured
WHERE total - size < $8::int8
ORDER BY ts, tab, key`,
  };
}
