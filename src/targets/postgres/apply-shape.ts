import type pg from 'pg';
import type { TableName } from '../../domain/table.js';
import type { ColumnType } from './types.js';

/** One column of a target table, as far as writing needs it. */
export interface ApplyColumn {
  readonly name: string;
  readonly type: ColumnType;
  /** Generated columns are computed by the target; writing them is an error. */
  readonly generated: boolean;
  /** GENERATED ALWAYS AS IDENTITY: can be given at insert, cannot be updated. */
  readonly identityAlways: boolean;
  /** Its value is in a unique or exclusion constraint beside the primary key that is checked at once: it may have to change hands. */
  readonly contested: boolean;
}

/** A foreign key onto the table. */
export interface Reference {
  /** The referencing table. */
  readonly table: TableName;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
  /** It references other columns than the primary key, so that what it references may pass from row to row. */
  readonly byValue: boolean;
  /** A row that is deleted or referenced otherwise takes the referencing rows along, or changes them: never deferred. */
  readonly acts: boolean;
  /** Checked at the end of the transaction for us who ask for it. */
  readonly deferred: boolean;
}

/** What the apply statements need to know of a target table. */
export interface ApplyShape {
  readonly name: TableName;
  readonly columns: readonly ApplyColumn[];
  readonly referencedBy: readonly Reference[];
}

interface ShapeRow {
  readonly name: string;
  readonly declared: string;
  readonly bare: string;
  readonly limited: string | null;
  readonly reader: ColumnType['reader'];
  readonly not_null: boolean;
  readonly generated: boolean;
  readonly identity_always: boolean;
  readonly contested: boolean;
}

/** Types, and arrays of them, whose reader rounds or cuts to the column's limits in silence. */
const LIMITED_SILENTLY = `('numeric'::regtype, 'varchar'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype, 'time'::regtype, 'timetz'::regtype, 'interval'::regtype)`;
/** Types that are limited by themselves; they cut, too. */
const LIMITED_ALWAYS = `('name'::regtype, '"char"'::regtype)`;

/**
 * $1 = schema, $2 = table. `type` and `modifier` are those under any domain. With the search path emptied, format_type qualifies every type
 * that is not PostgreSQL's own. An index names the columns of its expressions and of its WHERE among the things on which it depends.
 */
const APPLY_SHAPE = `
WITH RECURSIVE under AS (
  SELECT attribute.attnum, attribute.atttypid AS type, attribute.atttypmod AS modifier
  FROM pg_attribute AS attribute
  WHERE attribute.attrelid = to_regclass(format('%I.%I', $1::text, $2::text)) AND attribute.attnum > 0 AND NOT attribute.attisdropped
  UNION ALL
  SELECT under.attnum, type.typbasetype, CASE WHEN type.typtypmod >= 0 THEN type.typtypmod ELSE under.modifier END
  FROM under JOIN pg_type AS type ON type.oid = under.type
  WHERE type.typtype = 'd'
)
SELECT attribute.attname AS name,
  format_type(attribute.atttypid, attribute.atttypmod) AS declared,
  CASE WHEN type.oid IN ${LIMITED_ALWAYS} THEN 'text' ELSE format_type(type.oid, -1) END AS bare,
  CASE
    WHEN type.oid IN ${LIMITED_ALWAYS} THEN format_type(type.oid, NULL)
    WHEN under.modifier >= 0 AND coalesce(nullif(element.oid, 0), type.oid) IN ${LIMITED_SILENTLY} THEN format_type(type.oid, under.modifier)
  END AS limited,
  CASE
    WHEN type.oid IN ('timestamp'::regtype, 'timestamptz'::regtype) THEN 'timestamp'
    WHEN type.oid IN ('timestamp[]'::regtype, 'timestamptz[]'::regtype) THEN 'timestamp[]'
    WHEN type.oid IN ('json'::regtype, 'jsonb'::regtype) THEN 'json'
    ELSE 'plain'
  END AS reader,
  attribute.attnotnull AS not_null,
  attribute.attgenerated <> '' AS generated,
  attribute.attidentity = 'a' AS identity_always,
  EXISTS (
    SELECT FROM pg_index AS index
    WHERE index.indrelid = relation.oid AND (index.indisunique OR index.indisexclusion) AND NOT index.indisprimary AND index.indimmediate
      AND (attribute.attnum = ANY (index.indkey) OR EXISTS (
        SELECT FROM pg_depend AS used
        WHERE used.classid = 'pg_class'::regclass AND used.objid = index.indexrelid
          AND used.refclassid = 'pg_class'::regclass AND used.refobjid = relation.oid AND used.refobjsubid = attribute.attnum
      ))
  ) AS contested
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid
JOIN under ON under.attnum = attribute.attnum
JOIN pg_type AS type ON type.oid = under.type AND type.typtype <> 'd'
LEFT JOIN pg_type AS element ON element.oid = type.typelem AND type.typlen = -1 AND type.typcategory = 'A'
WHERE namespace.nspname = $1 AND relation.relname = $2 AND relation.relkind IN ('r', 'p')
ORDER BY attribute.attnum`;

/** $1 = schema, $2 = table. Foreign keys that a partition inherits are its parent's. */
const REFERENCES = `
SELECT namespace.nspname AS schema, child.relname AS "table",
  ARRAY(SELECT a.attname::text FROM unnest(key.conkey) WITH ORDINALITY AS x(number, place)
    JOIN pg_attribute AS a ON a.attrelid = key.conrelid AND a.attnum = x.number ORDER BY x.place) AS columns,
  ARRAY(SELECT a.attname::text FROM unnest(key.confkey) WITH ORDINALITY AS x(number, place)
    JOIN pg_attribute AS a ON a.attrelid = key.confrelid AND a.attnum = x.number ORDER BY x.place) AS referenced,
  NOT index.indisprimary AS by_value,
  key.confdeltype IN ('c', 'n', 'd') OR key.confupdtype IN ('c', 'n', 'd') AS acts,
  key.condeferrable AND key.confdeltype = 'a' AND key.confupdtype = 'a' AS deferred
FROM pg_constraint AS key
JOIN pg_class AS parent ON parent.oid = key.confrelid
JOIN pg_namespace AS home ON home.oid = parent.relnamespace
JOIN pg_class AS child ON child.oid = key.conrelid
JOIN pg_namespace AS namespace ON namespace.oid = child.relnamespace
JOIN pg_index AS index ON index.indexrelid = key.conindid
WHERE key.contype = 'f' AND key.conparentid = 0 AND home.nspname = $1 AND parent.relname = $2
ORDER BY key.oid`;

interface ReferenceRow {
  readonly schema: string;
  readonly table: string;
  readonly columns: readonly string[];
  readonly referenced: readonly string[];
  readonly by_value: boolean;
  readonly acts: boolean;
  readonly deferred: boolean;
}

/** Null when there is no such table. Runs inside the caller's transaction, whose search path it empties while it reads. */
export async function readApplyShape(client: pg.Client, name: TableName): Promise<ApplyShape | null> {
  const { rows: before } = await client.query<{ search_path: string }>(
    `SELECT current_setting('search_path') AS search_path`,
  );
  await client.query(`SET LOCAL search_path = ''`);
  const { rows } = await client.query<ShapeRow>(APPLY_SHAPE, [name.schema, name.table]);
  const { rows: references } = await client.query<ReferenceRow>(REFERENCES, [name.schema, name.table]);
  await client.query(`SELECT set_config('search_path', $1, true)`, [before[0]?.search_path ?? '']);
  if (rows.length === 0) return null;
  return {
    name,
    referencedBy: references.map(({ schema, table, columns, referenced, by_value, acts, deferred }) => ({
      table: { schema, table },
      columns,
      referenced,
      byValue: by_value,
      acts,
      deferred,
    })),
    columns: rows.map((row) => ({
      name: row.name,
      type: {
        declared: row.declared,
        bare: row.bare,
        limited: row.limited,
        reader: row.reader,
        notNull: row.not_null,
      },
      generated: row.generated,
      identityAlways: row.identity_always,
      contested: row.contested,
    })),
  };
}
