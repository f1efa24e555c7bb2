import { escapeIdentifier } from 'pg';
import type pg from 'pg';
import type { TableName } from '../../domain/table.js';
import { inTransaction } from './transaction.js';

export interface OtherClaim {
  readonly table: TableName;
  readonly run: string;
}

/**
 * Claims each table for the run, or none: the claims of other runs that are in the way are returned (protocol rule 33). Two runs at
 * once: one waits for the other and then sees its claims.
 */
export async function claimTables(
  client: pg.Client,
  schema: string,
  run: string,
  tables: readonly TableName[],
): Promise<readonly OtherClaim[]> {
  const parameters = [run, tables.map((table) => table.schema), tables.map((table) => table.table)];
  try {
    await inTransaction(client, async () => {
      await client.query(insertClaimsSql(schema), parameters);
      const { rows } = await client.query<ClaimRow>(otherClaimsSql(schema), parameters);
      if (rows.length > 0) throw new ClaimedByOthers(rows.map(toClaim));
    });
    return [];
  } catch (error) {
    if (error instanceof ClaimedByOthers) return error.claims;
    throw error;
  }
}

/** The claims of other runs on these tables. */
export async function readOtherClaims(
  client: pg.Client,
  schema: string,
  run: string,
  tables: readonly TableName[],
): Promise<readonly OtherClaim[]> {
  const parameters = [run, tables.map((table) => table.schema), tables.map((table) => table.table)];
  return (await client.query<ClaimRow>(otherClaimsSql(schema), parameters)).rows.map(toClaim);
}

/** Ends the transaction that has met others' claims. */
class ClaimedByOthers extends Error {
  constructor(readonly claims: readonly OtherClaim[]) {
    super('claimed by other runs');
  }
}

interface ClaimRow {
  readonly schema: string;
  readonly table: string;
  readonly run: string;
}

function toClaim(row: ClaimRow): OtherClaim {
  return { table: { schema: row.schema, table: row.table }, run: row.run };
}

/** In one order, so that two runs do not wait for each other. $1 = run, $2 = schemas, $3 = tables */
function insertClaimsSql(schema: string): string {
  return `
    INSERT INTO ${escapeIdentifier(schema)}.claim (table_name, run)
    SELECT format('%I.%I', t.schema, t.name), $1 FROM unnest($2::text[], $3::text[]) AS t(schema, name) ORDER BY 1
    ON CONFLICT (table_name) DO NOTHING`;
}

/** $1 = run, $2 = schemas, $3 = tables */
function otherClaimsSql(schema: string): string {
  return `
    SELECT t.schema, t.name AS "table", c.run
    FROM unnest($2::text[], $3::text[]) AS t(schema, name)
    JOIN ${escapeIdentifier(schema)}.claim c ON c.table_name = format('%I.%I', t.schema, t.name)
    WHERE c.run <> $1 ORDER BY 1, 2`;
}
