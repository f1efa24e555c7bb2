import type { AlignedSequence } from '../aligned-sequence.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { firstFreeValue, type SequenceShape } from '../sequence-value.js';
import { attempt, isDenied } from './attempt.js';
import { describeTables, type Asking } from './introspection.js';
import { quoteName, quoteTable } from './names.js';
import type { TargetColumn, TargetTable } from './table-shape.js';

/**
 * Sets every sequence of MariaDB's that is a default beyond the rows that the tables now have, on its own grid, never backwards, and looks whether
 * an AUTO_INCREMENT has come to its end. Run it while nobody writes to the tables. Idempotent.
 */
export async function alignSequences(
  client: Asking,
  tables: readonly TableName[],
): Promise<readonly AlignedSequence[]> {
  const described = await describeTables(client, tables);
  const aligned: AlignedSequence[] = [];
  for (const table of [...described.values()].flatMap((found) => found ?? [])) {
    for (const column of table.columns) {
      if (column.autoIncrement) aligned.push(await alignCounter(client, table, column));
      if (column.sequence !== null) aligned.push(await alignSequence(client, table, column, column.sequence));
    }
  }
  return aligned;
}

/** Of the integer types. */
const BITS: Readonly<Record<string, bigint>> = { tinyint: 8n, smallint: 16n, mediumint: 24n, int: 32n, bigint: 64n };

/**
 * InnoDB counts on by itself beyond every value that a row is given, by an INSERT or an UPDATE, and keeps the count through deletes and restarts.
 * What is left to say is that there is no value beyond.
 */
async function alignCounter(client: Asking, table: TargetTable, column: TargetColumn): Promise<AlignedSequence> {
  const base = { sequence: 'AUTO_INCREMENT', table: table.name, column: column.name, was: null, now: null };
  const most = (1n << ((BITS[column.base] ?? 64n) - (column.unsigned ? 0n : 1n))) - 1n;
  const furthest = await furthestRow(client, table.name, column.name, 'MAX');
  if (furthest === null || furthest < most) return { ...base, outcome: 'beyond', statement: null };
  return {
    ...base,
    outcome: 'exhausted',
    statement: `-- ${column.type} ends at ${most}, and rows have ${furthest}: give the column a wider type`,
  };
}

/** Fractions count up to the next whole number. */
async function furthestRow(
  client: Asking,
  table: TableName,
  column: string,
  furthest: 'MAX' | 'MIN',
): Promise<bigint | null> {
  const round = furthest === 'MAX' ? 'CEILING' : 'FLOOR';
  const { rows } = await client.query(
    `SELECT CAST(${round}(${furthest}(${quoteName(column)})) AS DECIMAL(65,0)) AS furthest FROM ${quoteTable(table)}`,
  );
  const value = rows[0]?.['furthest'] ?? null;
  return value === null ? null : BigInt(value);
}

/** MariaDB only. `name` is as its default has it, quoted. */
async function alignSequence(
  client: Asking,
  table: TargetTable,
  column: TargetColumn,
  name: string,
): Promise<AlignedSequence> {
  const base = { sequence: name, table: table.name, column: column.name };
  const read = `SELECT next_not_cached_value AS next_value, start_value AS start_value, increment AS step, minimum_value AS least, maximum_value AS most FROM ${name}`;
  const unreadable = await attempt(client, `${read} LIMIT 0`);
  if (unreadable !== null) {
    const statement = `-- see that ${name} gives values beyond those of ${formatTableName(table.name)}.${column.name}`;
    return { ...base, was: null, now: null, outcome: 'not-permitted', statement };
  }
  const row = (await client.query(read)).rows[0] ?? {};
  const numberOf = (field: string): bigint => BigInt(row[field] ?? 0);
  // 0: the step is the server's auto_increment_increment.
  const increment = numberOf('step') === 0n ? 1n : numberOf('step');
  const shape: SequenceShape = {
    start: numberOf('start_value'),
    increment,
    min: numberOf('least'),
    max: numberOf('most'),
  };
  const up = increment > 0n;
  const next = numberOf('next_value');
  const furthest = await furthestRow(client, table.name, column.name, up ? 'MAX' : 'MIN');
  const was = String(next);
  if (furthest === null || (up ? next > furthest : next < furthest))
    return { ...base, was, now: was, outcome: 'beyond', statement: null };
  const free = firstFreeValue(shape, furthest);
  if (free === null) {
    const bound = up ? `MAXVALUE ${shape.max}` : `MINVALUE ${shape.min}`;
    const statement = `-- ${name} ends at ${bound}, and rows have ${furthest}: ALTER SEQUENCE ${name} NO ${bound.split(' ')[0]}, then start this again`;
    return { ...base, was, now: was, outcome: 'exhausted', statement };
  }
  // SETVAL goes forward only.
  const statement = `SELECT SETVAL(${name}, ${free}, 0)`;
  const refused = await attempt(client, statement);
  if (refused !== null && isDenied(refused)) return { ...base, was, now: was, outcome: 'not-permitted', statement };
  if (refused !== null) throw new Error(`the sequence ${name}: ${refused.message}`);
  return { ...base, was, now: String(free), outcome: 'set', statement: null };
}
