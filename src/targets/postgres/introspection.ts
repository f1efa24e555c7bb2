import type pg from 'pg';
import type { ForeignKeyAction } from '../../domain/source-table.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { matchName } from './names.js';
import type { TargetColumn, TargetForeignKey, TargetTable, Trigger, UniqueKey } from './table-shape.js';

/** What was found under each name asked for: null when there is nothing, or more than one that differs in case alone. */
export type TableDescriptions = ReadonlyMap<string, TargetTable | null>;

/**
 * Describes tables as the catalogue has them now. Names match as spelled, else without regard to case when that is unambiguous.
 * The result is keyed by `formatTableName` of the name asked for. Reads only; needs no privilege on the tables.
 */
export async function describeTables(client: pg.Client, names: readonly TableName[]): Promise<TableDescriptions> {
  const found = await findTables(client, names);
  const oids = [...new Set([...found.values()].flatMap((row) => (row ? [row.oid] : [])))];
  const columns = groupByTable(await readRows<ColumnRow>(client, COLUMNS, oids));
  const keys = groupByTable(await readRows<IndexRow>(client, UNIQUE_INDEXES, oids));
  const foreignKeys = await readRows<ForeignKeyRow>(client, FOREIGN_KEYS, oids);
  const facts = groupByTable(await readRows<FactsRow>(client, FACTS, oids));

  const describe = (row: TableRow): TargetTable => {
    const indexes = keys.get(row.oid) ?? [];
    const primary = indexes.find((index) => index.primary);
    const fact = facts.get(row.oid)?.[0];
    return {
      name: { schema: row.schema, table: row.table },
      oid: row.oid,
      kind: KINDS[row.kind] ?? 'view',
      columns: (columns.get(row.oid) ?? []).map(toColumn),
      primaryKey: (primary?.columns ?? []).flatMap((column) => (column === null ? [] : [column])),
      primaryKeyDeferrable: primary?.deferrable ?? false,
      uniqueKeys: indexes.filter((index) => !index.primary).map(toUniqueKey),
      checks: fact?.checks ?? [],
      exclusions: fact?.exclusions ?? [],
      foreignKeysOut: foreignKeys.filter((key) => key.oid === row.oid).map(toForeignKey),
      foreignKeysIn: foreignKeys.filter((key) => key.referencedOid === row.oid).map(toForeignKey),
      triggers: (fact?.triggers ?? []).map(toTrigger),
      rules: fact?.rules ?? [],
      notDurable: fact?.notDurable ?? [],
      rowSecurity: fact?.rowSecurity ?? false,
      subscriptions: fact?.subscriptions ?? [],
    };
  };
  return new Map([...found].map(([name, row]) => [name, row ? describe(row) : null]));
}

interface TableRow {
  readonly oid: string;
  readonly schema: string;
  readonly table: string;
  readonly kind: string;
}

const KINDS: Readonly<Record<string, TargetTable['kind']>> = {
  r: 'table',
  p: 'partitioned table',
  v: 'view',
  m: 'materialized view',
  f: 'foreign table',
};

/** $1 = schema names in lower case, $2 = table names in lower case */
const TABLES_LIKE = `
  SELECT c.oid::text AS oid, n.nspname AS schema, c.relname AS "table", c.relkind::text AS kind
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND lower(n.nspname) = ANY ($1::text[]) AND lower(c.relname) = ANY ($2::text[])`;

async function findTables(client: pg.Client, names: readonly TableName[]): Promise<Map<string, TableRow | null>> {
  const { rows } = await client.query<TableRow>(TABLES_LIKE, [
    names.map((name) => name.schema.toLowerCase()),
    names.map((name) => name.table.toLowerCase()),
  ]);
  return new Map(
    names.map((name) => {
      const schema = matchName(name.schema, [...new Set(rows.map((row) => row.schema))], (candidate) => candidate);
      const within = rows.filter((row) => row.schema === schema);
      return [formatTableName(name), matchName(name.table, within, (row) => row.table)];
    }),
  );
}

interface OfTable {
  readonly oid: string;
}

async function readRows<Row extends OfTable>(
  client: pg.Client,
  sql: string,
  oids: readonly string[],
): Promise<readonly Row[]> {
  return (await client.query<Row>(sql, [oids])).rows;
}

function groupByTable<Row extends OfTable>(rows: readonly Row[]): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const row of rows) groups.set(row.oid, [...(groups.get(row.oid) ?? []), row]);
  return groups;
}

type ColumnRow = Omit<TargetColumn, 'identity'> & OfTable & { readonly identity: string };

/**
 * Catalogue columns that came with later versions are read by name out of the row's JSON, so that older servers answer too.
 * $1 = table oids
 */
const COLUMNS = `
  WITH RECURSIVE under AS (
    SELECT a.attrelid, a.attnum, a.atttypid AS type, a.atttypmod AS modifier
    FROM pg_attribute a
    WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT u.attrelid, u.attnum, t.typbasetype, CASE WHEN t.typtypmod >= 0 THEN t.typtypmod ELSE u.modifier END
    FROM under u JOIN pg_type t ON t.oid = u.type
    WHERE t.typtype = 'd'
  )
  SELECT a.attrelid::text AS oid, a.attname AS name, format_type(a.atttypid, a.atttypmod) AS type,
    format_type(u.type, u.modifier) AS "baseType", element.typtype::text AS "typeKind",
    ARRAY(SELECT e.enumlabel::text FROM pg_enum e WHERE e.enumtypid = element.oid ORDER BY e.enumsortorder) AS "enumLabels",
    a.attnotnull OR domain.typnotnull AS "notNull", a.atthasdef OR domain.typdefault IS NOT NULL AS "hasDefault",
    coalesce(to_jsonb(a) ->> 'attgenerated', '') <> '' AS generated, a.attidentity::text AS identity,
    coalesce((to_jsonb(c) ->> 'collisdeterministic')::boolean, true) AS deterministic
  FROM under u
  JOIN pg_type t ON t.oid = u.type AND t.typtype <> 'd'
  JOIN pg_attribute a ON a.attrelid = u.attrelid AND a.attnum = u.attnum
  JOIN pg_type domain ON domain.oid = a.atttypid
  JOIN pg_type element ON element.oid = CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN t.typelem ELSE t.oid END
  LEFT JOIN pg_collation c ON c.oid = a.attcollation
  ORDER BY a.attrelid, a.attnum`;

const IDENTITIES: Readonly<Record<string, TargetColumn['identity']>> = { a: 'always', d: 'by default' };

function toColumn({ oid: _oid, identity, ...rest }: ColumnRow): TargetColumn {
  return { ...rest, identity: IDENTITIES[identity] ?? null };
}

type IndexRow = UniqueKey & OfTable & { readonly primary: boolean };

/** $1 = table oids */
const UNIQUE_INDEXES = `
  SELECT i.indrelid::text AS oid, ic.relname AS name, i.indisprimary AS "primary", NOT i.indimmediate AS deferrable,
    i.indpred IS NOT NULL AS partial,
    (SELECT regexp_replace(pg_get_constraintdef(k.oid), '( NOT)? DEFERRABLE.*$', '')
      FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype = 'u') AS definition,
    ARRAY(
      SELECT a.attname::text FROM unnest(i.indkey::int2[]) WITH ORDINALITY k(number, place)
      LEFT JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.number
      WHERE k.place <= i.indnkeyatts ORDER BY k.place
    ) AS columns
  FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
  WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indislive
  ORDER BY i.indrelid, ic.relname`;

function toUniqueKey({ oid: _oid, primary: _primary, ...key }: IndexRow): UniqueKey {
  return key;
}

interface ForeignKeyRow extends OfTable {
  readonly referencedOid: string;
  readonly name: string;
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly referencedSchema: string;
  readonly referencedTable: string;
  readonly referencedColumns: readonly string[];
  readonly onDelete: string;
  readonly onUpdate: string;
  readonly deferrable: boolean;
}

/** $1 = table oids: keys that leave or reach them; those that a partition inherits are its parent's */
const FOREIGN_KEYS = `
  SELECT k.conrelid::text AS oid, k.confrelid::text AS "referencedOid", k.conname AS name,
    n.nspname AS schema, c.relname AS "table", rn.nspname AS "referencedSchema", rc.relname AS "referencedTable",
    ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY x(number, place)
      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = x.number ORDER BY x.place) AS columns,
    ARRAY(SELECT a.attname::text FROM unnest(k.confkey) WITH ORDINALITY x(number, place)
      JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = x.number ORDER BY x.place) AS "referencedColumns",
    k.confdeltype::text AS "onDelete", k.confupdtype::text AS "onUpdate", k.condeferrable AS deferrable
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class rc ON rc.oid = k.confrelid JOIN pg_namespace rn ON rn.oid = rc.relnamespace
  WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY ($1::oid[]) OR k.confrelid = ANY ($1::oid[]))
  ORDER BY k.conrelid, k.conname`;

const ACTIONS: Readonly<Record<string, ForeignKeyAction>> = {
  a: 'NO ACTION',
  r: 'RESTRICT',
  c: 'CASCADE',
  n: 'SET NULL',
  d: 'SET DEFAULT',
};

function toForeignKey(row: ForeignKeyRow): TargetForeignKey {
  return {
    name: row.name,
    table: { schema: row.schema, table: row.table },
    columns: row.columns,
    references: { schema: row.referencedSchema, table: row.referencedTable },
    referencedColumns: row.referencedColumns,
    onDelete: ACTIONS[row.onDelete] ?? 'NO ACTION',
    onUpdate: ACTIONS[row.onUpdate] ?? 'NO ACTION',
    deferrable: row.deferrable,
  };
}

interface FactsRow extends OfTable {
  readonly checks: readonly string[];
  readonly exclusions: TargetTable['exclusions'];
  readonly triggers: readonly { readonly name: string; readonly enabled: string }[];
  readonly rules: readonly string[];
  readonly notDurable: readonly string[];
  readonly rowSecurity: boolean;
  readonly subscriptions: readonly string[];
}

/** $1 = table oids. A partition's triggers, rules and persistence are those of its table: rows land in it. */
const FACTS = `
  WITH RECURSIVE parts AS (
    SELECT r.oid AS root, r.oid AS part FROM pg_class r WHERE r.oid = ANY ($1::oid[])
    UNION
    SELECT p.root, i.inhrelid FROM parts p JOIN pg_inherits i ON i.inhparent = p.part
    JOIN pg_class c ON c.oid = i.inhrelid AND c.relispartition
  )
  SELECT r.oid::text AS oid,
    ARRAY(SELECT k.conname::text FROM pg_constraint k WHERE k.conrelid = r.oid AND k.contype = 'c' ORDER BY 1) AS checks,
    coalesce((SELECT jsonb_agg(jsonb_build_object('name', k.conname, 'deferrable', k.condeferrable,
        'definition', regexp_replace(pg_get_constraintdef(k.oid), '( NOT)? DEFERRABLE.*$', '')) ORDER BY k.conname)
      FROM pg_constraint k WHERE k.conrelid = r.oid AND k.contype = 'x'), '[]') AS exclusions,
    coalesce((SELECT jsonb_agg(DISTINCT jsonb_build_object('name', g.tgname, 'enabled', g.tgenabled))
      FROM pg_trigger g JOIN parts p ON p.part = g.tgrelid
      WHERE p.root = r.oid AND NOT g.tgisinternal AND g.tgenabled <> 'D'), '[]') AS triggers,
    ARRAY(SELECT DISTINCT w.rulename::text FROM pg_rewrite w JOIN parts p ON p.part = w.ev_class
      WHERE p.root = r.oid AND w.rulename <> '_RETURN' AND w.ev_enabled <> 'D' ORDER BY 1) AS rules,
    ARRAY(SELECT format('%I.%I', n.nspname, c.relname) FROM parts p JOIN pg_class c ON c.oid = p.part
      JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE p.root = r.oid AND c.relpersistence <> 'p' ORDER BY 1) AS "notDurable",
    row_security_active(r.oid) AS "rowSecurity",
    ARRAY(SELECT DISTINCT s.subname::text FROM pg_subscription_rel sr JOIN parts p ON p.part = sr.srrelid
      JOIN pg_subscription s ON s.oid = sr.srsubid WHERE p.root = r.oid AND s.subenabled ORDER BY 1) AS subscriptions
  FROM pg_class r WHERE r.oid = ANY ($1::oid[])`;

const FIRES: Readonly<Record<string, Trigger['fires']>> = { O: 'origin', R: 'replica', A: 'always' };

function toTrigger(row: { readonly name: string; readonly enabled: string }): Trigger {
  return { name: row.name, fires: FIRES[row.enabled] ?? 'always' };
}
