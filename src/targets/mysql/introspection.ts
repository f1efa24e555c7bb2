import { FOREIGN_KEY_ACTIONS, type ForeignKeyAction } from '../../domain/source-table.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import type { SqlResult } from '../portable/sql-client.js';
import type { MysqlClient } from './client.js';
import { errnoOf } from './errors.js';
import { matchName, quoteName, quoteTable } from './names.js';
import type { TargetColumn, TargetForeignKey, TargetTable, UniqueKey } from './table-shape.js';

type TextFields = SqlResult['rows'][number];
/** What reading needs of a connection. */
export type Asking = Pick<MysqlClient, 'query' | 'server'>;

/** What was found under each name asked for: null when there is nothing, or more than one that differs in case alone. */
export type TableDescriptions = ReadonlyMap<string, TargetTable | null>;

/**
 * Describes tables as information_schema shows them to this user: tables and columns on which he has no privilege are not there. Names match
 * as spelled, else without regard to case when that is unambiguous. The result is keyed by `formatTableName` of the name asked for.
 */
export async function describeTables(client: Asking, names: readonly TableName[]): Promise<TableDescriptions> {
  const schemas = await rowsOf(client, SCHEMAS);
  const found = new Map<string, TargetTable | null>(names.map((name) => [formatTableName(name), null]));
  for (const wanted of new Set(names.map(({ schema }) => schema))) {
    const schema = matchName(wanted, schemas, (row) => text(row, 'name'));
    if (schema === null) continue;
    const described = await describeSchema(
      client,
      text(schema, 'name'),
      names.filter((name) => name.schema === wanted).map(({ table }) => table),
    );
    for (const name of names.filter((one) => one.schema === wanted))
      found.set(formatTableName(name), described.get(name.table) ?? null);
  }
  return found;
}

async function describeSchema(
  client: Asking,
  schema: string,
  names: readonly string[],
): Promise<ReadonlyMap<string, TargetTable | null>> {
  const tables = await rowsOf(client, TABLES, [schema]);
  const matched = new Map(names.map((name) => [name, matchName(name, tables, (row) => text(row, 'name'))]));
  const found = [...new Set([...matched.values()].filter((row) => row !== null))];
  const described = found.length === 0 ? [] : await describeRows(client, found);
  const at = (row: TextFields | null): TargetTable | null =>
    row === null ? null : (described[found.indexOf(row)] ?? null);
  return new Map([...matched].map(([name, row]) => [name, at(row)]));
}

/**
 * Describes one table by its own spelling, without a look at the others of its database. Null when there is no such table.
 */
export async function readTable(client: Asking, name: TableName): Promise<TargetTable | null> {
  const rows = await rowsOf(client, `${TABLES} AND TABLE_NAME = ?`, [name.schema, name.table]);
  const [described] = rows.length === 1 ? await describeRows(client, rows) : [];
  return described ?? null;
}

/** Describes the tables of these rows of `TABLES`, in their order. All are of one database. */
async function describeRows(client: Asking, tables: readonly TextFields[]): Promise<readonly TargetTable[]> {
  const schema = tables.map((row) => text(row, 'table_schema'))[0] ?? '';
  const spelled = tables.map((row) => text(row, 'name'));
  const marks = spelled.map(() => '?').join(', ');
  const ofTables = async (sql: (marks: string) => string): Promise<Map<string, TextFields[]>> =>
    groupByTable(await rowsOf(client, sql(marks), [schema, ...spelled]));

  const columns = await ofTables(columnsSql);
  const indexes = await ofTables(uniqueIndexesSql);
  const checks =
    client.server.product === 'MySQL' ? await ofTables(checksSql) : await readChecks(client, schema, spelled);
  const triggers = await ofTables(triggersSql);
  const keyRows = await rowsOf(client, foreignKeysSql(marks), [schema, ...spelled, schema, ...spelled]);
  const keys = await withActions(client, keyRows, keyRows.reduce(gatherForeignKeys, []));

  const describe = (row: TextFields): TargetTable => {
    const name = { schema, table: text(row, 'name') };
    const ofTable = (groups: Map<string, TextFields[]>): readonly TextFields[] => groups.get(name.table) ?? [];
    const jsons = ofTable(checks).flatMap((check) => JSON_CHECK.exec(text(check, 'clause'))?.[1] ?? []);
    const unique = gatherKeys(ofTable(indexes));
    return {
      name,
      kind: KINDS[text(row, 'kind')] ?? 'table',
      engine: row.engine ?? 'none',
      columns: ofTable(columns).map((column) => toColumn(column, jsons)),
      primaryKey: (unique.find((key) => key.name === 'PRIMARY')?.columns ?? []).flatMap((column) => column ?? []),
      uniqueKeys: unique.filter((key) => key.name !== 'PRIMARY'),
      checks: ofTable(checks)
        .filter((check) => !JSON_CHECK.test(text(check, 'clause')))
        .map((check) => text(check, 'name')),
      foreignKeysOut: keys.filter((key) => isSame(key.table, name)),
      foreignKeysIn: keys.filter((key) => isSame(key.references, name)),
      triggers: ofTable(triggers).map((trigger) => text(trigger, 'name')),
    };
  };
  return tables.map(describe);
}

async function rowsOf(client: Asking, sql: string, parameters: readonly string[] = []): Promise<readonly TextFields[]> {
  return (await client.query(sql, parameters)).rows;
}

function text(row: TextFields, name: string): string {
  return row[name] ?? '';
}

function groupByTable(rows: readonly TextFields[]): Map<string, TextFields[]> {
  const groups = new Map<string, TextFields[]>();
  for (const row of rows) groups.set(text(row, 'table_name'), [...(groups.get(text(row, 'table_name')) ?? []), row]);
  return groups;
}

function isSame(a: TableName, b: TableName): boolean {
  return a.schema === b.schema && a.table === b.table;
}

const SCHEMAS = `SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA`;

/** ? = database. Filtering by it alone lets the server open one directory only. */
const TABLES = `
  SELECT TABLE_SCHEMA AS table_schema, TABLE_NAME AS name, TABLE_TYPE AS kind, ENGINE AS engine
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = ?`;

const KINDS: Readonly<Record<string, TargetTable['kind']>> = {
  VIEW: 'view',
  'SYSTEM VIEW': 'view',
  SEQUENCE: 'sequence',
};

/** ? = database, tables */
function columnsSql(marks: string): string {
  return `
  SELECT TABLE_NAME AS table_name, COLUMN_NAME AS name, COLUMN_TYPE AS type, DATA_TYPE AS base, IS_NULLABLE AS nullable,
    COLUMN_DEFAULT AS preset, EXTRA AS extra, GENERATION_EXPRESSION AS generation, CHARACTER_SET_NAME AS charset,
    COLLATION_NAME AS collation_name, CHARACTER_MAXIMUM_LENGTH AS length, NUMERIC_PRECISION AS digits, NUMERIC_SCALE AS scale,
    DATETIME_PRECISION AS fraction
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (${marks})
  ORDER BY TABLE_NAME, ORDINAL_POSITION`;
}

/** MariaDB's JSON is a longtext with this check. */
const JSON_CHECK = /^json_valid\(`((?:[^`]|``)+)`\)$/i;
const SEQUENCE_DEFAULT = /^nextval\((.+)\)$/i;
const LABEL = /'((?:[^']|'')*)'/g;

function toColumn(row: TextFields, jsons: readonly string[]): TargetColumn {
  const [name, type, base] = [text(row, 'name'), text(row, 'type'), text(row, 'base').toLowerCase()];
  const preset = row.preset ?? null;
  return {
    name,
    type,
    base: base === 'longtext' && jsons.includes(name.replaceAll('`', '``')) ? 'json' : base,
    length: numberOf(row, 'length'),
    precision: numberOf(row, 'digits'),
    scale: numberOf(row, 'scale'),
    fraction: numberOf(row, 'fraction'),
    unsigned: /\bunsigned\b/i.test(type),
    enumLabels: base === 'enum' ? readLabels(type) : [],
    charset: row.charset ?? null,
    collation: row.collation_name ?? null,
    notNull: row.nullable === 'NO',
    hasDefault: preset !== null,
    generated: text(row, 'generation') !== '',
    autoIncrement: /\bauto_increment\b/i.test(text(row, 'extra')),
    changesItself: /\bon update\b/i.test(text(row, 'extra')),
    sequence: SEQUENCE_DEFAULT.exec(preset ?? '')?.[1] ?? null,
  };
}

/** Labels of an ENUM or SET by its COLUMN_TYPE, e.g. `enum('a','it''s')`. */
export function readLabels(type: string): readonly string[] {
  return [...type.matchAll(LABEL)].map(([, label]) => unescaped(label ?? ''));
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', 0: '\0', Z: '\x1a' };

/** A label as COLUMN_TYPE spells it, whatever sql_mode is. */
function unescaped(label: string): string {
  return label.replaceAll(/''|\\([\s\S])/g, (_, sign: string | undefined) =>
    sign === undefined ? "'" : (ESCAPES[sign] ?? sign),
  );
}

function numberOf(row: TextFields, name: string): number | null {
  const value = row[name] ?? null;
  return value === null ? null : Number(value);
}

/** ? = database, tables. A key over an expression has no column there; a key over the beginning of one has SUB_PART. */
function uniqueIndexesSql(marks: string): string {
  return `
  SELECT TABLE_NAME AS table_name, INDEX_NAME AS name, COLUMN_NAME AS column_name, SUB_PART AS part
  FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND TABLE_NAME IN (${marks}) AND NON_UNIQUE = 0
  ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`;
}

function gatherKeys(rows: readonly TextFields[]): readonly UniqueKey[] {
  const keys = new Map<string, (string | null)[]>();
  for (const row of rows) {
    const column = (row.part ?? null) === null ? (row.column_name ?? null) : null;
    keys.set(text(row, 'name'), [...(keys.get(text(row, 'name')) ?? []), column]);
  }
  return [...keys].map(([name, columns]) => ({ name, columns }));
}

/** MySQL. ? = database, tables. A check has its table in another view only. */
function checksSql(marks: string): string {
  return `
  SELECT t.TABLE_NAME AS table_name, k.CONSTRAINT_NAME AS name, k.CHECK_CLAUSE AS clause
  FROM information_schema.TABLE_CONSTRAINTS t
  JOIN information_schema.CHECK_CONSTRAINTS k
    ON k.CONSTRAINT_SCHEMA = t.CONSTRAINT_SCHEMA AND k.CONSTRAINT_NAME = t.CONSTRAINT_NAME
  WHERE t.TABLE_SCHEMA = ? AND t.TABLE_NAME IN (${marks}) AND t.CONSTRAINT_TYPE = 'CHECK'
  ORDER BY 1, 2`;
}

const COLUMN_CHECK = /^\s*`((?:[^`]|``)+)` .* CHECK \((.*)\),?$/;
const TABLE_CHECK = /^\s*CONSTRAINT `((?:[^`]|``)+)` CHECK \((.*)\),?$/;

/**
 * MariaDB. information_schema shows checks, and so which text is JSON, only to who has a privilege on the whole database; SHOW CREATE TABLE to
 * everybody who may use the table. A column's own check has the column's name.
 */
async function readChecks(
  client: Asking,
  schema: string,
  tables: readonly string[],
): Promise<Map<string, TextFields[]>> {
  const found = new Map<string, TextFields[]>();
  for (const table of tables) {
    const checks = (await readDdl(client, { schema, table })).flatMap((line) => {
      const [, name, clause] = TABLE_CHECK.exec(line) ?? COLUMN_CHECK.exec(line) ?? [];
      return name === undefined || clause === undefined ? [] : [{ name: name.replaceAll('``', '`'), clause }];
    });
    found.set(table, checks);
  }
  return found;
}

/** The lines of CREATE TABLE; none of a view, and none where the user has privileges on columns alone. */
async function readDdl(client: Asking, table: TableName): Promise<readonly string[]> {
  try {
    const [shown] = await rowsOf(client, `SHOW CREATE TABLE ${quoteTable(table)}`);
    return (shown?.['create table'] ?? '').split('\n');
  } catch (error) {
    if (errnoOf(error) !== DENIED) throw error;
    return [];
  }
}

const DENIED = 1142;

/** ? = database, tables. Shown to those only who have the privilege TRIGGER on the table. */
function triggersSql(marks: string): string {
  return `
  SELECT EVENT_OBJECT_TABLE AS table_name, TRIGGER_NAME AS name
  FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = ? AND EVENT_OBJECT_TABLE IN (${marks})
  ORDER BY 1, 2`;
}

/**
 * ? = database, tables, and the same again: keys that leave or reach them, a row for each column. MariaDB tells their actions only to who has a
 * privilege on the whole database; others have them from SHOW CREATE TABLE.
 */
function foreignKeysSql(marks: string): string {
  return `
  SELECT u.TABLE_SCHEMA AS table_schema, u.TABLE_NAME AS table_name, u.CONSTRAINT_NAME AS name, u.COLUMN_NAME AS column_name,
    u.REFERENCED_TABLE_SCHEMA AS parent_schema, u.REFERENCED_TABLE_NAME AS parent, u.REFERENCED_COLUMN_NAME AS parent_column,
    r.DELETE_RULE AS on_delete, r.UPDATE_RULE AS on_update
  FROM information_schema.KEY_COLUMN_USAGE u
  LEFT JOIN information_schema.REFERENTIAL_CONSTRAINTS r
    ON r.CONSTRAINT_SCHEMA = u.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = u.CONSTRAINT_NAME AND r.TABLE_NAME = u.TABLE_NAME
  WHERE u.REFERENCED_TABLE_NAME IS NOT NULL AND ((u.TABLE_SCHEMA = ? AND u.TABLE_NAME IN (${marks}))
    OR (u.REFERENCED_TABLE_SCHEMA = ? AND u.REFERENCED_TABLE_NAME IN (${marks})))
  ORDER BY 1, 2, 3, u.ORDINAL_POSITION`;
}

function gatherForeignKeys(keys: readonly TargetForeignKey[], row: TextFields): readonly TargetForeignKey[] {
  const table = { schema: text(row, 'table_schema'), table: text(row, 'table_name') };
  const name = text(row, 'name');
  const known = keys.find((key) => key.name === name && isSame(key.table, table));
  const others = keys.filter((key) => key !== known);
  return [
    ...others,
    {
      name,
      table,
      columns: [...(known?.columns ?? []), text(row, 'column_name')],
      references: { schema: text(row, 'parent_schema'), table: text(row, 'parent') },
      referencedColumns: [...(known?.referencedColumns ?? []), text(row, 'parent_column')],
      onDelete: toAction(text(row, 'on_delete')),
      onUpdate: toAction(text(row, 'on_update')),
    },
  ];
}

/** Fills in what a row without rules leaves open. */
async function withActions(
  client: Asking,
  rows: readonly TextFields[],
  keys: readonly TargetForeignKey[],
): Promise<readonly TargetForeignKey[]> {
  const open = new Set(
    rows
      .filter((row) => (row['on_delete'] ?? null) === null)
      .map((row) => formatTableName({ schema: text(row, 'table_schema'), table: text(row, 'table_name') })),
  );
  const filled: TargetForeignKey[] = [];
  for (const key of keys) {
    if (!open.has(formatTableName(key.table))) {
      filled.push(key);
      continue;
    }
    const lines = await readDdl(client, key.table);
    const line = lines.find((one) => one.trim().startsWith(`CONSTRAINT ${quoteName(key.name)} FOREIGN KEY`)) ?? '';
    filled.push({
      ...key,
      onDelete: toAction(/ ON DELETE ((?:SET |NO )?\w+)/.exec(line)?.[1] ?? 'RESTRICT'),
      onUpdate: toAction(/ ON UPDATE ((?:SET |NO )?\w+)/.exec(line)?.[1] ?? 'RESTRICT'),
    });
  }
  return filled;
}

function toAction(rule: string): ForeignKeyAction {
  return FOREIGN_KEY_ACTIONS.find((action) => action === rule) ?? 'NO ACTION';
}
