import type { TableName } from '../../domain/table.js';
import type { MysqlClient } from './client.js';
import { createValueWriter, type ColumnType, type ValueWriter } from './types.js';

/** One column of a target table, as far as writing needs it. */
export interface ApplyColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly write: ValueWriter;
  /** Generated columns are computed by the target; writing them is an error. */
  readonly generated: boolean;
  /** ON UPDATE CURRENT_TIMESTAMP: changes by itself where an update does not set it. */
  readonly changesItself: boolean;
}

/** A foreign key. */
export interface Reference {
  /** The table at its other end: the referencing one of `referencedBy`, the referenced one of `references`. */
  readonly table: TableName;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
  /** It references other columns than the primary key, so that what it references may pass from row to row. */
  readonly byValue: boolean;
  /** A row that is deleted or referenced otherwise takes the referencing rows along, or changes them. */
  readonly acts: boolean;
}

/** What the apply statements need to know of a target table. */
export interface ApplyShape {
  readonly name: TableName;
  readonly columns: readonly ApplyColumn[];
  /** It has a unique key beside the primary key: a value of it may have to change hands. */
  readonly contested: boolean;
  readonly referencedBy: readonly Reference[];
  readonly references: readonly Reference[];
}

/** ?1 = database, ?2 = table. A system-versioned table is one, too. */
const COLUMNS = `
SELECT column_name AS name, data_type AS type, column_type AS declared, character_maximum_length AS length,
  numeric_precision AS digits, numeric_scale AS scale, datetime_precision AS fraction, is_nullable AS nullable, extra AS extra
FROM information_schema.columns
WHERE table_schema = ? AND table_name = ?
ORDER BY ordinal_position`;

/** MariaDB's JSON is a text with a check of this form. */
const CHECKED_AS_JSON = `
SELECT check_clause AS clause FROM information_schema.check_constraints
WHERE constraint_schema = ? AND table_name = ? AND level = 'Column' AND check_clause LIKE 'json_valid(%'`;

const UNIQUE_KEYS = `
SELECT count(*) AS keys_beside FROM information_schema.statistics
WHERE table_schema = ? AND table_name = ? AND non_unique = 0 AND index_name <> 'PRIMARY'`;

/** ?1, ?2 = database and table at the end of which the keys are wanted. */
const foreignKeys = (end: 'referenced_' | ''): string => `
SELECT usage_of.constraint_schema AS constraint_schema, usage_of.constraint_name AS name,
  usage_of.table_schema AS child_schema, usage_of.table_name AS child, usage_of.column_name AS column_of_child,
  usage_of.referenced_table_schema AS parent_schema, usage_of.referenced_table_name AS parent,
  usage_of.referenced_column_name AS column_of_parent, rule.unique_constraint_name AS key_of_parent,
  rule.delete_rule AS on_delete, rule.update_rule AS on_update
FROM information_schema.key_column_usage AS usage_of
JOIN information_schema.referential_constraints AS rule
  ON rule.constraint_schema = usage_of.constraint_schema AND rule.constraint_name = usage_of.constraint_name AND rule.table_name = usage_of.table_name
WHERE usage_of.referenced_table_name IS NOT NULL AND usage_of.${end}table_schema = ? AND usage_of.${end}table_name = ?
ORDER BY usage_of.constraint_schema, usage_of.table_name, usage_of.constraint_name, usage_of.ordinal_position`;

type Row = Readonly<Record<string, string | null>>;

/** Null when there is no such table. */
export async function readApplyShape(client: MysqlClient, name: TableName): Promise<ApplyShape | null> {
  const where = [name.schema, name.table];
  const { rows } = await client.query(COLUMNS, where);
  if (rows.length === 0) return null;
  const checked = client.server.product === 'MariaDB' ? (await client.query(CHECKED_AS_JSON, where)).rows : [];
  const isJson = (column: string): boolean =>
    checked.some(({ clause }) => clause === `json_valid(\`${column.replaceAll('`', '``')}\`)`);
  const { rows: unique } = await client.query(UNIQUE_KEYS, where);
  const { rows: children } = await client.query(foreignKeys('referenced_'), where);
  const { rows: parents } = await client.query(foreignKeys(''), where);
  return {
    name,
    columns: rows.map((row) => columnOf(row, isJson(row['name'] ?? ''))),
    contested: unique[0]?.['keys_beside'] !== '0',
    referencedBy: toReferences(children, 'child'),
    references: toReferences(parents, 'parent'),
  };
}

function columnOf(row: Row, isJson: boolean): ApplyColumn {
  const extra = (row['extra'] ?? '').toUpperCase();
  const name = (row['type'] ?? '').toLowerCase();
  const declared = row['declared'] ?? '';
  const numberIn = (field: string): number | null => (row[field] ? Number(row[field]) : null);
  const type: ColumnType = {
    name: isJson ? 'json' : name,
    declared: isJson ? 'json' : declared,
    length: name === 'bit' ? numberIn('digits') : numberIn('length'),
    precision: numberIn('digits'),
    scale: numberIn('scale'),
    fraction: numberIn('fraction') ?? 0,
    members: name === 'enum' || name === 'set' ? readMembers(declared) : [],
    notNull: row['nullable'] === 'NO',
  };
  return {
    name: row['name'] ?? '',
    type,
    write: createValueWriter(type),
    // DEFAULT_GENERATED is MySQL's word for an expression as the default.
    generated: /\b(?:VIRTUAL|STORED|PERSISTENT)\b/.test(extra),
    changesItself: extra.includes('ON UPDATE'),
  };
}

/** Of `enum('a','it''s')`. */
function readMembers(declared: string): readonly string[] {
  return [...declared.matchAll(/'((?:[^']|'')*)'/g)].map(([, member = '']) => member.replaceAll("''", "'"));
}

function toReferences(rows: readonly Row[], end: 'child' | 'parent'): readonly Reference[] {
  const found = new Map<string, { reference: Reference; columns: string[]; referenced: string[] }>();
  for (const row of rows) {
    const identity = JSON.stringify([row['constraint_schema'], row['child'], row['name']]);
    const known = found.get(identity) ?? { ...referenceOf(row, end) };
    known.columns.push(row['column_of_child'] ?? '');
    known.referenced.push(row['column_of_parent'] ?? '');
    found.set(identity, known);
  }
  return [...found.values()].map(({ reference }) => reference);
}

function referenceOf(row: Row, end: 'child' | 'parent') {
  const columns: string[] = [];
  const referenced: string[] = [];
  const reference: Reference = {
    table: { schema: row[`${end}_schema`] ?? '', table: row[end] ?? '' },
    columns,
    referenced,
    byValue: row['key_of_parent'] !== 'PRIMARY',
    acts: [row['on_delete'], row['on_update']].some((rule) => /^(?:CASCADE|SET )/.test(rule ?? '')),
  };
  return { reference, columns, referenced };
}
