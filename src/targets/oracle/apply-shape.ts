import type { TableName } from '../../domain/table.js';
import type { OracleClient, OracleRow } from './client.js';
import { readColumnType } from './column-type.js';
import type { ColumnType } from './types.js';

/** One column of a target table, as far as writing needs it. */
export interface ApplyColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** Virtual columns are computed by the target; writing them is an error. */
  readonly generated: boolean;
  /** GENERATED ALWAYS AS IDENTITY: Oracle takes no value for it. */
  readonly identityAlways: boolean;
}

/** A unique constraint or index beside the primary key: its values may have to change hands. */
export interface UniqueKey {
  readonly columns: readonly string[];
  /** Checked at COMMIT for us who ask for it. */
  readonly deferred: boolean;
}

/** A foreign key onto the table. */
export interface Reference {
  /** The referencing table. */
  readonly table: TableName;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
  /** It references other columns than the primary key, so that what it references may pass from row to row. */
  readonly byValue: boolean;
  /** A row that is deleted takes the referencing rows along, or changes them: never deferred. */
  readonly acts: boolean;
  /** Checked at COMMIT for us who ask for it. */
  readonly deferred: boolean;
}

/** What the apply statements need to know of a target table. */
export interface ApplyShape {
  readonly name: TableName;
  readonly columns: readonly ApplyColumn[];
  readonly uniqueKeys: readonly UniqueKey[];
  readonly referencedBy: readonly Reference[];
}

/** :1 = schema, :2 = table. Columns that Oracle has added for itself are hidden and have no name that anybody gave. */
export const COLUMNS = `
SELECT c.column_name AS name, c.data_type AS data_type, c.data_length AS data_length, c.data_precision AS data_precision, c.data_scale AS data_scale,
  c.char_length AS char_length, c.char_used AS char_used, c.nullable AS nullable, c.virtual_column AS virtual_column,
  i.generation_type AS generation_type, j.format AS json_format
FROM all_tab_cols c
LEFT JOIN all_tab_identity_cols i ON i.owner = c.owner AND i.table_name = c.table_name AND i.column_name = c.column_name
LEFT JOIN all_json_columns j ON j.owner = c.owner AND j.table_name = c.table_name AND j.column_name = c.column_name
WHERE c.owner = :1 AND c.table_name = :2 AND c.user_generated = 'YES'
ORDER BY c.column_id`;

/** :1 = schema, :2 = table. The columns of unique indexes, and whether the constraint that goes with one, if any, can be deferred. */
export const UNIQUE_KEYS = `
SELECT x.owner AS index_schema, x.index_name AS index_name, y.column_name AS column_name,
  (SELECT MAX(k.constraint_type) FROM all_constraints k WHERE k.owner = x.table_owner AND k.table_name = x.table_name
    AND k.index_name = x.index_name AND k.constraint_type IN ('P', 'U')) AS constraint_type
FROM all_indexes x
JOIN all_ind_columns y ON y.index_owner = x.owner AND y.index_name = x.index_name
WHERE x.table_owner = :1 AND x.table_name = :2 AND x.uniqueness = 'UNIQUE'
ORDER BY x.index_name, y.column_position`;

/** :1 = schema, :2 = table. Deferrable ones, whose index is not unique. */
export const DEFERRABLE_UNIQUE_KEYS = `
SELECT k.constraint_name AS index_name, y.column_name AS column_name, k.constraint_type AS constraint_type
FROM all_constraints k
JOIN all_cons_columns y ON y.owner = k.owner AND y.constraint_name = k.constraint_name
WHERE k.owner = :1 AND k.table_name = :2 AND k.constraint_type IN ('P', 'U') AND k.status = 'ENABLED' AND k.deferrable = 'DEFERRABLE'
ORDER BY k.constraint_name, y.position`;

/** :1 = schema, :2 = table. */
export const REFERENCES = `
SELECT f.owner AS child_schema, f.table_name AS child_table, f.constraint_name AS constraint_name, f.delete_rule AS delete_rule,
  f.deferrable AS can_be_deferred, p.constraint_type AS parent_type, a.column_name AS child_column, b.column_name AS parent_column
FROM all_constraints f
JOIN all_constraints p ON p.owner = f.r_owner AND p.constraint_name = f.r_constraint_name
JOIN all_cons_columns a ON a.owner = f.owner AND a.constraint_name = f.constraint_name
JOIN all_cons_columns b ON b.owner = p.owner AND b.constraint_name = p.constraint_name AND b.position = a.position
WHERE f.constraint_type = 'R' AND f.status = 'ENABLED' AND p.owner = :1 AND p.table_name = :2
ORDER BY f.owner, f.constraint_name, a.position`;

/** Null when there is no such table, or none that the user may see. */
export async function readApplyShape(client: OracleClient, name: TableName): Promise<ApplyShape | null> {
  const of = [name.schema, name.table];
  const { rows: columns } = await client.execute(COLUMNS, of);
  if (columns.length === 0) return null;
  const { rows: unique } = await client.execute(UNIQUE_KEYS, of);
  const { rows: deferrable } = await client.execute(DEFERRABLE_UNIQUE_KEYS, of);
  const { rows: references } = await client.execute(REFERENCES, of);
  return {
    name,
    columns: columns.map((row) => ({
      name: row.name ?? '',
      type: readColumnType(row),
      generated: row.virtual_column === 'YES',
      identityAlways: row.generation_type === 'ALWAYS',
    })),
    uniqueKeys: [...readKeys(unique, false), ...readKeys(deferrable, true)],
    referencedBy: grouped(references, (row) => `${row.child_schema ?? ''}.${row.constraint_name ?? ''}`).map(
      readReference,
    ),
  };
}

/** The primary key's values are the stream's: nothing passes from row to row there. */
function readKeys(rows: readonly OracleRow[], deferred: boolean): readonly UniqueKey[] {
  return grouped(rows, (row) => `${row.index_schema ?? ''}.${row.index_name ?? ''}`)
    .filter(([first]) => first?.constraint_type !== 'P')
    .map((key) => ({ columns: key.map((row) => row.column_name ?? ''), deferred }));
}

function readReference(rows: readonly OracleRow[]): Reference {
  const first = rows[0] ?? {};
  const acts = first.delete_rule !== 'NO ACTION';
  return {
    table: { schema: first.child_schema ?? '', table: first.child_table ?? '' },
    columns: rows.map((row) => row.child_column ?? ''),
    referenced: rows.map((row) => row.parent_column ?? ''),
    byValue: first.parent_type !== 'P',
    acts,
    deferred: !acts && first.can_be_deferred === 'DEFERRABLE',
  };
}

function grouped(rows: readonly OracleRow[], nameOf: (row: OracleRow) => string): readonly (readonly OracleRow[])[] {
  const groups = new Map<string, OracleRow[]>();
  for (const row of rows) {
    const found = groups.get(nameOf(row));
    if (found === undefined) groups.set(nameOf(row), [row]);
    else found.push(row);
  }
  return [...groups.values()];
}
