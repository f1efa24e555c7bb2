import type { ForeignKey, ForeignKeyAction, SourceColumn, SourceTable } from '../domain/source-table.js';
import type { KeyClass, TableName } from '../domain/table.js';
import type { Cockroach, QueryOptions, TextRow } from './client.js';
import { keyClassOf } from '../domain/source-type.js';
import { parseNameArray, quoteTable } from './quoting.js';
import { onlyValue, UnexpectedAnswerError, valueOf } from './rows.js';

/** A column of the primary key. */
export interface KeyColumnFacts {
  readonly name: string;
  readonly type: string;
  /** Null: keys of this type cannot be told apart by what a changefeed sends. */
  readonly keyClass: KeyClass | null;
  readonly hidden: boolean;
  readonly virtual: boolean;
}

/** A table of CockroachDB with what only its changefeed cares for. */
export interface IntrospectedTable extends SourceTable {
  /** Descriptor id; it survives a rename and changes with a new table of the same name (protocol rule 9). */
  readonly id: string;
  /** `database.schema.table`, quoted as CockroachDB quotes it in `topic` under full_table_name. */
  readonly fullName: string;
  readonly keyColumns: readonly KeyColumnFacts[];
  readonly columnFamilies: number;
  /** e.g. `REGIONAL BY ROW`; null where the table says nothing. */
  readonly locality: string | null;
}

const DATABASE = 'SELECT current_database() AS database';

/** The database of the connection. @throws CockroachError */
export async function readDatabase(cockroach: Cockroach): Promise<string> {
  return onlyValue(await cockroach.query(DATABASE), 'database');
}

const CLUSTER_ID = 'SELECT crdb_internal.cluster_id() AS id';

/** The cluster's identity (protocol rule 9). @throws CockroachError */
export async function readClusterId(cockroach: Cockroach, options: QueryOptions = {}): Promise<string> {
  return onlyValue(await cockroach.query(CLUSTER_ID, [], options), 'id');
}

/** $1 = schema, $2 = table. */
const TABLE = `SELECT c.oid AS id, quote_ident(current_database()) || '.' || quote_ident(n.nspname) || '.' || quote_ident(c.relname) AS full_name
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'p')`;

/**
 * Everything about a table; null when there is no such table.
 * @throws CockroachError
 */
export async function describeTable(cockroach: Cockroach, name: TableName): Promise<IntrospectedTable | null> {
  const [found] = await cockroach.query(TABLE, [name.schema, name.table]);
  if (!found) return null;
  const id = valueOf(found, 'id');
  const attributes = await cockroach.query(ATTRIBUTES, [id]);
  const columns = await describeColumns(cockroach, name, id, attributes);
  const constraints = await cockroach.query(CONSTRAINTS, [id]);
  const names = new Map(attributes.map((row) => [valueOf(row, 'attnum'), valueOf(row, 'attname')]));
  const columnsOf = (row: TextRow) =>
    parseNameArray(valueOf(row, 'conkey')).map((attnum) => names.get(attnum) ?? attnum);
  const ofType = (type: string) => constraints.filter((row) => row['contype'] === type);
  const primaryKey = ofType('p').flatMap(columnsOf);
  const { neverEmpty, ...created } = await readCreateStatement(cockroach, name);
  const foreignKeys: ForeignKey[] = [];
  for (const row of ofType('f')) foreignKeys.push(await describeForeignKey(cockroach, row, columnsOf(row)));
  return {
    table: name,
    id,
    fullName: valueOf(found, 'full_name'),
    columns: columns.map(({ hidden: _hidden, ...column }) => ({
      ...column,
      ...(neverEmpty.includes(column.name) ? { neverEmpty: true } : {}),
    })),
    primaryKey,
    keyColumns: primaryKey.map((column) => keyColumn(columns, column)),
    foreignKeys,
    uniqueKeys: ofType('u').map(columnsOf),
    ...created,
  };
}

/**
 * Describes tables in the order of their names; those that do not exist are in `missing`.
 * @throws CockroachError
 */
export async function describeTables(
  cockroach: Cockroach,
  names: readonly TableName[],
): Promise<{ readonly tables: readonly IntrospectedTable[]; readonly missing: readonly TableName[] }> {
  const tables: IntrospectedTable[] = [];
  const missing: TableName[] = [];
  for (const name of names) {
    const table = await describeTable(cockroach, name);
    if (table) tables.push(table);
    else missing.push(name);
  }
  return { tables, missing };
}

interface ColumnFacts extends SourceColumn {
  readonly hidden: boolean;
}

/** $1 = table id. attgenerated: `v` virtual, `s` stored. */
const ATTRIBUTES = `SELECT attnum, attname, attgenerated FROM pg_catalog.pg_attribute
  WHERE attrelid = $1::OID AND attnum > 0 AND NOT attisdropped ORDER BY attnum`;
/** $1 = table id. */
const ENUM_LABELS = `SELECT a.attname, e.enumlabel FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_enum e ON e.enumtypid = a.atttypid
  WHERE a.attrelid = $1::OID ORDER BY a.attname, e.enumsortorder`;

async function describeColumns(
  cockroach: Cockroach,
  name: TableName,
  id: string,
  attributes: readonly TextRow[],
): Promise<readonly ColumnFacts[]> {
  const generated = new Map(attributes.map((row) => [row['attname'], row['attgenerated']]));
  const labels = await cockroach.query(ENUM_LABELS, [id]);
  const rows = await cockroach.query(`SHOW COLUMNS FROM ${quoteTable(name)}`);
  return rows.map((row) => {
    const column = valueOf(row, 'column_name');
    const enumLabels = labels.flatMap((label) => (label['attname'] === column ? [valueOf(label, 'enumlabel')] : []));
    return {
      name: column,
      type: valueOf(row, 'data_type'),
      nullable: isTrue(row['is_nullable']),
      hidden: isTrue(row['is_hidden']),
      ...(generated.get(column) === 'v' ? { virtual: true } : {}),
      ...(generated.get(column) === 's' ? { computed: true } : {}),
      ...(enumLabels.length > 0 ? { enumLabels } : {}),
    };
  });
}

/** $1 = table id. */
const CONSTRAINTS = `SELECT con.contype, con.conname, con.conkey, con.confkey, con.confdeltype, con.confupdtype,
    con.confrelid, n.nspname AS ref_schema, c.relname AS ref_table
  FROM pg_catalog.pg_constraint con
  LEFT JOIN pg_catalog.pg_class c ON c.oid = con.confrelid
  LEFT JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE con.conrelid = $1::OID AND con.contype IN ('p', 'u', 'f') ORDER BY con.conname`;

const ACTIONS: Readonly<Record<string, ForeignKeyAction>> = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
};

async function describeForeignKey(cockroach: Cockroach, row: TextRow, columns: readonly string[]): Promise<ForeignKey> {
  const referenced = await cockroach.query(ATTRIBUTES, [valueOf(row, 'confrelid')]);
  const names = new Map(referenced.map((attribute) => [valueOf(attribute, 'attnum'), valueOf(attribute, 'attname')]));
  return {
    name: valueOf(row, 'conname'),
    columns,
    references: { schema: valueOf(row, 'ref_schema'), table: valueOf(row, 'ref_table') },
    referencedColumns: parseNameArray(valueOf(row, 'confkey')).map((attnum) => names.get(attnum) ?? attnum),
    onDelete: actionOf(row, 'confdeltype'),
    onUpdate: actionOf(row, 'confupdtype'),
  };
}

function actionOf(row: TextRow, column: string): ForeignKeyAction {
  const action = ACTIONS[valueOf(row, column)];
  if (!action) throw new UnexpectedAnswerError('a known foreign key action', valueOf(row, column));
  return action;
}

async function readCreateStatement(
  cockroach: Cockroach,
  name: TableName,
): Promise<{
  readonly columnFamilies: number;
  readonly locality: string | null;
  readonly neverEmpty: readonly string[];
}> {
  const rows = await cockroach.query(`SHOW CREATE TABLE ${quoteTable(name)}`);
  const statement = onlyValue(rows, 'create_statement');
  const families = statement.match(/^\s*FAMILY /gm)?.length ?? 0;
  return {
    columnFamilies: Math.max(1, families),
    neverEmpty: columnsNeverEmpty(statement),
    locality: /\bLOCALITY\s+([A-Z][A-Z ]*[A-Z])/.exec(statement)?.[1] ?? null,
  };
}

/** As CockroachDB prints it: `CONSTRAINT check_code CHECK (code != '':::STRING)`; one that is NOT VALID holds for new rows only. */
const NOT_EMPTY = /^\s*CONSTRAINT \S+ CHECK \(\(*("(?:[^"]|"")+"|\w+) != '(?:\\x)?'(?::::\w+)?\)+,?\s*$/gm;

/** Columns out of which a CHECK of the CREATE TABLE statement keeps the empty text, or no bytes. Pure. */
export function columnsNeverEmpty(statement: string): readonly string[] {
  return [...statement.matchAll(NOT_EMPTY)].map(([, name = '']) =>
    name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name,
  );
}

function keyColumn(columns: readonly ColumnFacts[], name: string): KeyColumnFacts {
  const column = columns.find((one) => one.name === name);
  if (!column) throw new UnexpectedAnswerError(`the key column ${name} among the columns`, 'none');
  const { type, hidden } = column;
  return { name, type, hidden, keyClass: keyClassOf(type), virtual: column.virtual ?? false };
}

/** A boolean as CockroachDB's versions print it. */
function isTrue(text: string | null | undefined): boolean {
  return text === 't' || text === 'true' || text === 'YES';
}
