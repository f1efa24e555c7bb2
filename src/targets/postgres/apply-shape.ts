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
}

/** What the apply statements need to know of a target table. */
export interface ApplyShape {
  readonly name: TableName;
  readonly columns: readonly ApplyColumn[];
  /** Rows of other tables would be deleted or emptied with a row of this one. */
  readonly deleteCascades: boolean;
}

interface ShapeRow {
  readonly name: string;
  readonly declared: string;
  readonly bare: string;
  readonly reader: ColumnType['reader'];
  readonly not_null: boolean;
  readonly generated: boolean;
  readonly identity_always: boolean;
  readonly delete_cascades: boolean;
}

/**
 * $1 = schema, $2 = table. Types are read through domains. With the search path emptied, format_type qualifies every type that is not
 * PostgreSQL's own.
 */
const APPLY_SHAPE = `
SELECT attribute.attname AS name,
  format_type(attribute.atttypid, attribute.atttypmod) AS declared,
  format_type(attribute.atttypid, -1) AS bare,
  CASE
    WHEN coalesce(nullif(type.typbasetype, 0), type.oid) IN ('timestamp'::regtype, 'timestamptz'::regtype) THEN 'timestamp'
    WHEN type.oid IN ('timestamp[]'::regtype, 'timestamptz[]'::regtype) THEN 'timestamp[]'
    WHEN type.oid IN ('json'::regtype, 'jsonb'::regtype) THEN 'json'
    ELSE 'plain'
  END AS reader,
  attribute.attnotnull AS not_null,
  attribute.attgenerated <> '' AS generated,
  attribute.attidentity = 'a' AS identity_always,
  EXISTS (
    SELECT FROM pg_constraint
    WHERE confrelid = relation.oid AND contype = 'f' AND confdeltype IN ('c', 'n', 'd')
  ) AS delete_cascades
FROM pg_class AS relation
JOIN pg_namespace AS namespace ON namespace.oid = relation.relnamespace
JOIN pg_attribute AS attribute ON attribute.attrelid = relation.oid AND attribute.attnum > 0 AND NOT attribute.attisdropped
JOIN pg_type AS type ON type.oid = attribute.atttypid
WHERE namespace.nspname = $1 AND relation.relname = $2 AND relation.relkind IN ('r', 'p')
ORDER BY attribute.attnum`;

/** Null when there is no such table. Runs inside the caller's transaction, whose search path it empties while it reads. */
export async function readApplyShape(client: pg.Client, name: TableName): Promise<ApplyShape | null> {
  const { rows: before } = await client.query<{ search_path: string }>(
    `SELECT current_setting('search_path') AS search_path`,
  );
  await client.query(`SET LOCAL search_path = ''`);
  const { rows } = await client.query<ShapeRow>(APPLY_SHAPE, [name.schema, name.table]);
  await client.query(`SELECT set_config('search_path', $1, true)`, [before[0]?.search_path ?? '']);
  const [first] = rows;
  if (first === undefined) return null;
  return {
    name,
    deleteCascades: first.delete_cascades,
    columns: rows.map((row) => ({
      name: row.name,
      type: { declared: row.declared, bare: row.bare, reader: row.reader, notNull: row.not_null },
      generated: row.generated,
      identityAlways: row.identity_always,
    })),
  };
}
