import type { ForeignKeyAction } from '../../domain/source-table.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { DEFERRABLE_UNIQUE_KEYS, UNIQUE_KEYS } from './apply-shape.js';
import { attempt, type Asking } from './attempt.js';
import type { OracleRow } from './client.js';
import { readColumnType } from './column-type.js';
import { matchName, quoteName } from './names.js';
import type { TargetColumn, TargetForeignKey, TargetTable, UniqueKey } from './table-shape.js';

/** What was found under each name asked for: null when there is nothing, or more than one that differs in case alone. */
export type TableDescriptions = ReadonlyMap<string, TargetTable | null>;

/** The widest views that this user may read: of the whole database, or of what it has a privilege on. */
export interface Sight {
  readonly triggers: 'dba_triggers' | 'all_triggers';
  readonly constraints: 'dba_constraints' | 'all_constraints';
}

/** ALL_TRIGGERS shows the triggers of other users' tables to those only who may create them there. */
export async function readSight(client: Asking): Promise<Sight> {
  const may = async (view: string): Promise<boolean> =>
    (await attempt(client, `SELECT 1 AS one FROM ${view} WHERE 1 = 0`)) === null;
  return {
    triggers: (await may('dba_triggers')) ? 'dba_triggers' : 'all_triggers',
    constraints:
      (await may('dba_constraints')) && (await may('dba_cons_columns')) ? 'dba_constraints' : 'all_constraints',
  };
}

/**
 * Describes tables as the catalogue shows them to this user: one on which it has no privilege is not there. Names match as spelled, else as
 * Oracle folds them when that is unambiguous. The result is keyed by `formatTableName` of the name asked for.
 */
export async function describeTables(
  client: Asking,
  names: readonly TableName[],
  sight: Sight = { triggers: 'all_triggers', constraints: 'all_constraints' },
): Promise<TableDescriptions> {
  const found = new Map<string, TargetTable | null>();
  const schemas = new Map<string, string | null>();
  for (const name of names) {
    let schema = schemas.get(name.schema);
    if (schema === undefined) {
      const { rows } = await client.execute(SCHEMAS, [name.schema]);
      schema = matchName(name.schema, rows.map(nameOf), (one) => one);
      schemas.set(name.schema, schema);
    }
    found.set(formatTableName(name), schema === null ? null : await describeTable(client, schema, name.table, sight));
  }
  return found;
}

async function describeTable(
  client: Asking,
  schema: string,
  wanted: string,
  sight: Sight,
): Promise<TargetTable | null> {
  const { rows: tables } = await client.execute(TABLES, [schema, wanted]);
  const { rows: views } = await client.execute(VIEWS, [schema, wanted]);
  const row = matchName(wanted, [...tables, ...views], nameOf);
  if (row === null) return null;
  const name = { schema, table: nameOf(row) };
  const of = [name.schema, name.table];
  const rowsOf = async (sql: string, binds: readonly string[] = of) => (await client.execute(sql, binds)).rows;
  const columns = (await rowsOf(COLUMNS)).map(toColumn);
  const primaryKey = (await rowsOf(PRIMARY_KEY)).map(nameOf);
  const isColumn = (column: string): boolean => columns.some((one) => one.name === column);
  const unique = gatherKeys(await rowsOf(UNIQUE_KEYS), false, isColumn);
  const deferrable = gatherKeys(await rowsOf(DEFERRABLE_UNIQUE_KEYS), true, isColumn);
  const keys = (await rowsOf(foreignKeysSql(sight.constraints), [...of, ...of])).reduce(gatherForeignKeys, []);
  return {
    name,
    kind: kindOf(row),
    readOnly: row.read_only === 'YES',
    rowsStay: row.partitioned === 'YES' && row.row_movement === 'DISABLED',
    columns,
    primaryKey,
    uniqueKeys: [...unique, ...deferrable],
    checks: (await rowsOf(CHECKS)).filter((check) => !OF_A_COLUMN.test(check.clause ?? '')).map(nameOf),
    foreignKeysOut: keys.filter((key) => isSame(key.table, name)),
    foreignKeysIn: keys.filter((key) => isSame(key.references, name)),
    triggers: (await rowsOf(triggersSql(sight.triggers))).map(
      (trigger) => `${quoteName(trigger.trigger_schema ?? '')}.${quoteName(nameOf(trigger))}`,
    ),
  };
}

function nameOf(row: OracleRow): string {
  return row.name ?? '';
}

function isSame(a: TableName, b: TableName): boolean {
  return a.schema === b.schema && a.table === b.table;
}

/** :1 = schema, in whatever case */
const SCHEMAS = `SELECT u.username AS name FROM all_users u WHERE UPPER(u.username) = UPPER(:1)`;

/** :1 = schema, :2 = table, in whatever case */
const TABLES = `
SELECT t.table_name AS name, t.temporary AS temporary, t.read_only AS read_only, t.partitioned AS partitioned, t.row_movement AS row_movement,
  (SELECT COUNT(*) FROM all_external_tables e WHERE e.owner = t.owner AND e.table_name = t.table_name) AS externals, 'table' AS kind
FROM all_tables t WHERE t.owner = :1 AND UPPER(t.table_name) = UPPER(:2)`;

/** :1 = schema, :2 = view, in whatever case */
const VIEWS = `SELECT v.view_name AS name, 'view' AS kind FROM all_views v WHERE v.owner = :1 AND UPPER(v.view_name) = UPPER(:2)`;

function kindOf(row: OracleRow): TargetTable['kind'] {
  if (row.kind === 'view') return 'view';
  if (row.temporary === 'Y') return 'temporary table';
  return row.externals === '0' ? 'table' : 'external table';
}

/** :1 = schema, :2 = table. The default is a LONG: no function takes it. */
const COLUMNS = `
SELECT c.column_name AS name, c.data_type AS data_type, c.data_length AS data_length, c.data_precision AS data_precision, c.data_scale AS data_scale,
  c.char_length AS char_length, c.char_used AS char_used, c.nullable AS nullable, c.virtual_column AS virtual_column,
  c.collation AS collation_name, i.generation_type AS generation_type, j.format AS json_format, c.default_on_null AS on_null,
  c.data_default AS preset
FROM all_tab_cols c
LEFT JOIN all_tab_identity_cols i ON i.owner = c.owner AND i.table_name = c.table_name AND i.column_name = c.column_name
LEFT JOIN all_json_columns j ON j.owner = c.owner AND j.table_name = c.table_name AND j.column_name = c.column_name
WHERE c.owner = :1 AND c.table_name = :2 AND c.user_generated = 'YES'
ORDER BY c.column_id`;

/** `"SHOP"."ISEQ$$_95196".nextval` */
const NEXT_VALUE = /^\s*((?:"[^"]+"|[\w$#]+)(?:\.(?:"[^"]+"|[\w$#]+))?)\.nextval\s*$/i;
/** Not a collation of the column's own. */
const COLLATIONS_OF_THE_DATABASE: ReadonlySet<string> = new Set(['USING_NLS_COMP', 'BINARY']);

function toColumn(row: OracleRow): TargetColumn {
  const collation = row.collation_name ?? null;
  const preset = row.virtual_column === 'YES' ? null : (row.preset ?? null);
  return {
    ...readColumnType(row),
    name: nameOf(row),
    chars: row.char_used === 'C',
    collation: collation === null || COLLATIONS_OF_THE_DATABASE.has(collation) ? null : collation,
    // A default that was taken away again is the text NULL.
    hasDefault: preset !== null && preset.trim().toUpperCase() !== 'NULL',
    generated: row.virtual_column === 'YES',
    onNull: row.on_null === 'YES',
    identity: row.generation_type === 'ALWAYS' ? 'always' : row.generation_type ? 'by default' : null,
    sequence: NEXT_VALUE.exec(preset ?? '')?.[1] ?? null,
  };
}

/** :1 = schema, :2 = table */
const PRIMARY_KEY = `
SELECT y.column_name AS name
FROM all_constraints k
JOIN all_cons_columns y ON y.owner = k.owner AND y.constraint_name = k.constraint_name
WHERE k.owner = :1 AND k.table_name = :2 AND k.constraint_type = 'P' AND k.status = 'ENABLED'
ORDER BY y.position`;

/** The column of an index over an expression is one that Oracle has added. */
function gatherKeys(
  rows: readonly OracleRow[],
  deferrable: boolean,
  isColumn: (name: string) => boolean,
): readonly UniqueKey[] {
  const keys = new Map<string, (string | null)[]>();
  for (const row of rows) {
    if (row.constraint_type === 'P') continue;
    const [name, column] = [row.index_name ?? '', row.column_name ?? ''];
    keys.set(name, [...(keys.get(name) ?? []), isColumn(column) ? column : null]);
  }
  return [...keys].map(([name, columns]) => ({ name, columns, deferrable }));
}

/** :1 = schema, :2 = table */
const CHECKS = `
SELECT k.constraint_name AS name, k.search_condition_vc AS clause
FROM all_constraints k
WHERE k.owner = :1 AND k.table_name = :2 AND k.constraint_type = 'C' AND k.status = 'ENABLED'
ORDER BY 1`;

const OF_A_COLUMN = /^\s*"?[^"]+"?\s+IS\s+(?:NOT\s+NULL|JSON\b.*)\s*$/is;

/** :1 = schema, :2 = table. A trigger may belong to another user than its table. */
function triggersSql(view: Sight['triggers']): string {
  return `
SELECT g.owner AS trigger_schema, g.trigger_name AS name FROM ${view} g
WHERE g.table_owner = :1 AND g.table_name = :2 AND g.base_object_type = 'TABLE' AND g.status = 'ENABLED'
ORDER BY 1, 2`;
}

/** :1 = schema, :2 = table, :3 and :4 the same again: keys that leave or reach it, a row for each column. Oracle has no ON UPDATE. */
function foreignKeysSql(view: Sight['constraints']): string {
  const columns = view === 'dba_constraints' ? 'dba_cons_columns' : 'all_cons_columns';
  return `
SELECT f.owner AS child_schema, f.table_name AS child_table, f.constraint_name AS name, f.delete_rule AS delete_rule, f.deferrable AS can_be_deferred,
  p.owner AS parent_schema, p.table_name AS parent_table, a.column_name AS child_column, b.column_name AS parent_column
FROM ${view} f
JOIN ${view} p ON p.owner = f.r_owner AND p.constraint_name = f.r_constraint_name
JOIN ${columns} a ON a.owner = f.owner AND a.constraint_name = f.constraint_name
JOIN ${columns} b ON b.owner = p.owner AND b.constraint_name = p.constraint_name AND b.position = a.position
WHERE f.constraint_type = 'R' AND f.status = 'ENABLED'
  AND ((f.owner = :1 AND f.table_name = :2) OR (p.owner = :3 AND p.table_name = :4))
ORDER BY f.owner, f.table_name, f.constraint_name, a.position`;
}

function gatherForeignKeys(keys: readonly TargetForeignKey[], row: OracleRow): readonly TargetForeignKey[] {
  const table = { schema: row.child_schema ?? '', table: row.child_table ?? '' };
  const name = nameOf(row);
  const known = keys.find((key) => key.name === name && isSame(key.table, table));
  return [
    ...keys.filter((key) => key !== known),
    {
      name,
      table,
      columns: [...(known?.columns ?? []), row.child_column ?? ''],
      references: { schema: row.parent_schema ?? '', table: row.parent_table ?? '' },
      referencedColumns: [...(known?.referencedColumns ?? []), row.parent_column ?? ''],
      onDelete: toAction(row.delete_rule),
      onUpdate: 'NO ACTION',
      deferrable: row.can_be_deferred === 'DEFERRABLE',
    },
  ];
}

function toAction(rule: string | null | undefined): ForeignKeyAction {
  return rule === 'CASCADE' || rule === 'SET NULL' ? rule : 'NO ACTION';
}
