import { escapeLiteral } from 'pg';
import type pg from 'pg';
import type { TableName } from '../../domain/table.js';
import type { AlignedSequence } from '../aligned-sequence.js';
import { firstFreeValue, type SequenceShape } from '../sequence-value.js';
import { quoteColumns, quoteTable } from './names.js';
import { sqlState } from './transaction.js';

/**
 * Sets every identity, serial or default sequence of the tables beyond the rows that the tables now have, on its own grid (start +
 * n * increment), never backwards. Without this the application's first insert collides. Run it while nobody writes to the tables.
 * Idempotent. Names are spelled as the catalogue has them.
 */
export async function alignSequences(
  client: pg.Client,
  tables: readonly TableName[],
): Promise<readonly AlignedSequence[]> {
  const { rows } = await client.query<SequenceRow>(SEQUENCES_OF_TABLES, [
    tables.map((table) => table.schema),
    tables.map((table) => table.table),
  ]);
  const aligned: AlignedSequence[] = [];
  for (const row of rows) aligned.push(await align(client, row));
  return aligned;
}

interface SequenceRow {
  readonly sequence: string;
  readonly schema: string;
  readonly table: string;
  readonly column: string;
  readonly start: string;
  readonly increment: string;
  readonly min: string;
  readonly max: string;
}

/** Owned by a column (serial, identity), or named by a column's default. $1 = schemas, $2 = tables */
const SEQUENCES_OF_TABLES = `
  WITH asked AS (
    SELECT c.oid, n.nspname AS schema, c.relname AS name
    FROM unnest($1::text[], $2::text[]) AS t(schema, name)
    JOIN pg_namespace n ON n.nspname = t.schema JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = t.name
  ), used AS (
    SELECT d.objid AS sequence, d.refobjid AS "table", d.refobjsubid AS number
    FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype IN ('a', 'i') AND d.refobjsubid > 0
    UNION
    SELECT d.refobjid, f.adrelid, f.adnum
    FROM pg_depend d JOIN pg_attrdef f ON f.oid = d.objid
    WHERE d.classid = 'pg_attrdef'::regclass AND d.refclassid = 'pg_class'::regclass AND d.deptype = 'n'
  )
  SELECT format('%I.%I', sn.nspname, sc.relname) AS sequence, asked.schema, asked.name AS "table", a.attname AS "column",
    s.seqstart::text AS start, s.seqincrement::text AS increment, s.seqmin::text AS min, s.seqmax::text AS max
  FROM asked
  JOIN used ON used."table" = asked.oid
  JOIN pg_sequence s ON s.seqrelid = used.sequence
  JOIN pg_class sc ON sc.oid = s.seqrelid JOIN pg_namespace sn ON sn.oid = sc.relnamespace
  JOIN pg_attribute a ON a.attrelid = asked.oid AND a.attnum = used.number
  JOIN pg_type t ON t.oid = a.atttypid
  WHERE t.typcategory = 'N'
  ORDER BY 1, 2, 3, 4`;

async function align(client: pg.Client, row: SequenceRow): Promise<AlignedSequence> {
  const table: TableName = { schema: row.schema, table: row.table };
  const shape: SequenceShape = {
    start: BigInt(row.start),
    increment: BigInt(row.increment),
    min: BigInt(row.min),
    max: BigInt(row.max),
  };
  const furthest = await furthestRow(client, table, row.column, shape);
  const base = { sequence: row.sequence, table, column: row.column };
  const free = furthest === null ? null : firstFreeValue(shape, furthest);
  try {
    const was = await nextValue(client, row.sequence, shape);
    if (furthest === null || isBeyond(shape, was, furthest)) {
      return { ...base, was: String(was), now: String(was), outcome: 'beyond', statement: null };
    }
    if (free === null) return { ...base, ...exhausted(row, furthest), was: String(was), now: String(was) };
    await client.query(SET_SEQUENCE, [row.sequence, String(free)]);
    return { ...base, was: String(was), now: String(free), outcome: 'set', statement: null };
  } catch (error) {
    if (sqlState(error) !== DENIED) throw error;
    if (furthest !== null && free === null) return { ...base, ...exhausted(row, furthest), was: null, now: null };
    const statement = free === null ? null : setByHand(row, free);
    return { ...base, was: null, now: null, outcome: 'not-permitted', statement };
  }
}

const DENIED = '42501';

/** $1 = sequence, $2 = the value to give next */
const SET_SEQUENCE = `SELECT setval($1::regclass, $2::bigint, false)`;

/** The row value that lies furthest in the sequence's direction; null without rows. Fractions count up to the next whole number. */
async function furthestRow(
  client: pg.Client,
  table: TableName,
  column: string,
  shape: SequenceShape,
): Promise<bigint | null> {
  const name = quoteColumns([column]);
  const furthest = shape.increment > 0n ? `ceil(max(${name})::numeric)` : `floor(min(${name})::numeric)`;
  const { rows } = await client.query<{ furthest: string | null }>(
    `SELECT ${furthest}::text AS furthest FROM ${quoteTable(table)}`,
  );
  const text = rows[0]?.furthest ?? null;
  return text === null ? null : BigInt(text);
}

async function nextValue(client: pg.Client, sequence: string, shape: SequenceShape): Promise<bigint> {
  const { rows } = await client.query<{ last: string; called: boolean }>(
    `SELECT last_value::text AS last, is_called AS called FROM ${sequence}`,
  );
  const row = rows[0];
  if (!row) throw new Error(`sequence ${sequence} has no state`);
  return BigInt(row.last) + (row.called ? shape.increment : 0n);
}

function isBeyond(shape: SequenceShape, next: bigint, furthest: bigint): boolean {
  return shape.increment > 0n ? next > furthest && next <= shape.max : next < furthest && next >= shape.min;
}

/** nextval takes part, so that the statement never sets the sequence back, whenever it is run. */
function setByHand(row: SequenceRow, free: bigint): string {
  const name = escapeLiteral(row.sequence);
  const furthest = BigInt(row.increment) > 0n ? 'greatest' : 'least';
  return `SELECT setval(${name}, ${furthest}(nextval(${name}), ${free}), false)`;
}

function exhausted(row: SequenceRow, furthest: bigint): { readonly outcome: 'exhausted'; readonly statement: string } {
  const bound = BigInt(row.increment) > 0n ? `MAXVALUE ${row.max}` : `MINVALUE ${row.min}`;
  return {
    outcome: 'exhausted',
    statement: `-- ${row.sequence} ends at ${bound}, and rows have ${furthest}: ALTER SEQUENCE ${row.sequence} NO ${bound.split(' ')[0]}, and the column to bigint, then start this again`,
  };
}
