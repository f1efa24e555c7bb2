import type { AlignedSequence } from '../aligned-sequence.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { firstFreeValue, type SequenceShape } from '../sequence-value.js';
import { attempt, isDenied, wordsOf, type Asking } from './attempt.js';
import { describeTables } from './introspection.js';
import { quoteName, quoteTable } from './names.js';
import type { TargetColumn, TargetTable } from './table-shape.js';

/**
 * Sees that the sequences of identity columns, and those that are a column's default, go on beyond the rows that the tables now have, and never
 * sets one back. A sequence that a trigger asks is nobody's: no catalogue says for which column it is. Run it while nobody writes to the tables.
 * Idempotent.
 */
export async function alignSequences(
  client: Asking,
  tables: readonly TableName[],
): Promise<readonly AlignedSequence[]> {
  const described = await describeTables(client, tables);
  const aligned: AlignedSequence[] = [];
  for (const table of [...described.values()].flatMap((found) => found ?? [])) {
    for (const column of table.columns) {
      if (column.sequence !== null) aligned.push(await align(client, table, column, column.sequence));
    }
  }
  return aligned;
}

async function align(client: Asking, table: TargetTable, column: TargetColumn, name: string): Promise<AlignedSequence> {
  const base = { sequence: name, table: table.name, column: column.name };
  const { schema, sequence } = partsOf(name, table.name.schema);
  const { rows } = await client.execute(SEQUENCE, [schema, sequence]);
  const [row] = rows;
  if (row === undefined) {
    const statement =
      column.identity === null
        ? `-- see that ${name} gives values beyond those of ${formatTableName(table.name)}.${column.name}`
        : identityStatement(table.name, column, null);
    return { ...base, was: null, now: null, outcome: 'not-permitted', statement };
  }
  const numberOf = (text: string | null | undefined): bigint => BigInt(text ?? 0);
  const increment = numberOf(row.step);
  const next = numberOf(row.next_to_store);
  const shape: SequenceShape = { start: next, increment, min: numberOf(row.least), max: numberOf(row.most) };
  const up = increment > 0n;
  // What the catalogue has is where the next cache begins; values before it may still be given.
  const cached = numberOf(row.cached) * increment;
  const least = next - cached;
  const furthest = await furthestRow(client, table.name, column.name, up);
  const was = String(least);
  if (furthest === null || (up ? least > furthest : least < furthest))
    return { ...base, was, now: was, outcome: 'beyond', statement: null };
  const free = firstFreeValue(shape, furthest);
  if (free === null) {
    const bound = up ? `MAXVALUE ${shape.max}` : `MINVALUE ${shape.min}`;
    const statement = `-- ${name} ends at ${bound}, and rows have ${furthest}: ALTER SEQUENCE ${name} NO${bound.split(' ')[0]}, then start this again`;
    return { ...base, was, now: was, outcome: 'exhausted', statement };
  }
  const statement =
    column.identity === null
      ? `ALTER SEQUENCE ${quoteName(schema)}.${quoteName(sequence)} RESTART START WITH ${free}`
      : identityStatement(table.name, column, increment);
  const refused = await attempt(client, statement);
  if (refused !== null && (isDenied(refused) || refused.code === NO_SUCH_SEQUENCE))
    return { ...base, was, now: was, outcome: 'not-permitted', statement };
  if (refused !== null) throw new Error(`the sequence ${name}: ${wordsOf(refused)}`);
  return { ...base, was, now: String(free), outcome: 'set', statement: null };
}

/** ... or none that we may alter. */
const NO_SUCH_SEQUENCE = 'ORA-02289';

/** Oracle finds the furthest row itself. What is not said may be set back to what a new sequence has, so it is said. */
export function identityStatement(
  table: TableName,
  column: Pick<TargetColumn, 'name' | 'identity' | 'onNull'>,
  increment: bigint | null,
): string {
  const how = column.identity === 'always' ? 'ALWAYS' : `BY DEFAULT${column.onNull ? ' ON NULL' : ''}`;
  const step = increment === null ? '' : ` INCREMENT BY ${increment}`;
  return `ALTER TABLE ${quoteTable(table)} MODIFY (${quoteName(column.name)} GENERATED ${how} AS IDENTITY (START WITH LIMIT VALUE${step}))`;
}

/** :1 = schema, :2 = sequence */
const SEQUENCE = `
SELECT q.min_value AS least, q.max_value AS most, q.increment_by AS step, q.cache_size AS cached, q.last_number AS next_to_store
FROM all_sequences q WHERE q.sequence_owner = :1 AND q.sequence_name = :2`;

const PART = /"([^"]+)"|([\w$#]+)/g;

/** A default may leave the schema out, and quotes too. */
function partsOf(name: string, schemaOfTable: string): { readonly schema: string; readonly sequence: string } {
  const parts = [...name.matchAll(PART)].map(([, quoted, plain]) => quoted ?? plain?.toUpperCase() ?? '');
  const [first = '', second] = parts;
  return second === undefined ? { schema: schemaOfTable, sequence: first } : { schema: first, sequence: second };
}

/** The row value that lies furthest in the sequence's direction; null without rows. Fractions count up to the next whole number. */
async function furthestRow(client: Asking, table: TableName, column: string, up: boolean): Promise<bigint | null> {
  const furthest = up ? `CEIL(MAX(${quoteName(column)}))` : `FLOOR(MIN(${quoteName(column)}))`;
  const { rows } = await client.execute(`SELECT ${furthest} AS furthest FROM ${quoteTable(table)}`);
  const value = rows[0]?.furthest ?? null;
  return value === null ? null : BigInt(value);
}
