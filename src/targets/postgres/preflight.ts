import type pg from 'pg';
import type { ExtraColumns } from '../../domain/extra-columns.js';
import type { Finding } from '../../domain/finding.js';
import type { SourceTable } from '../../domain/source-table.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import { describeTables } from './introspection.js';
import { checkModes } from '../preflight-modes.js';
import type { MappedTable } from './mapped-table.js';
import { checkCheckpoint } from './preflight-checkpoint.js';
import { checkColumns } from './preflight-columns.js';
import { checkEnforcementMayBeOff, checkForeignKeys } from './preflight-foreign-keys.js';
import { checkKeys } from './preflight-keys.js';
import { checkPrivileges, mayUseReplicationRole, replicationRoleRefused } from './preflight-privileges.js';
import { checkSentinel } from './preflight-sentinel.js';
import { checkServer } from './preflight-server.js';
import { checkTable, missingTable, sharedTables } from './preflight-tables.js';
import { checkDeferrableKeys, checkUniqueKeys } from './preflight-unique-keys.js';
import type { TargetTable } from './table-shape.js';

/** What is to be replicated into this target. */
export interface TargetPlan {
  readonly tables: readonly { readonly source: SourceTable; readonly target: TableName }[];
  readonly run: string;
  readonly streams: readonly string[];
  readonly checkpointSchema: string;
  /** Connections that the run opens at once. */
  readonly connectionsNeeded: number;
  /** The plan asks to apply with triggers and foreign keys off where that is allowed. */
  readonly enforcementOffWanted: boolean;
  /** Table of the drain's sentinel row; null: there is none. */
  readonly sentinel: TableName | null;
  /** What becomes of a column that a target table lacks. */
  readonly extraColumns: ExtraColumns;
  /** Changes are to be applied before they are acknowledged, not only once they are resolved. */
  readonly immediate?: boolean;
  /** What the target refuses is put aside. */
  readonly deadLetters?: boolean;
}

export interface TargetPreflight {
  /** Every problem at once. */
  readonly findings: readonly Finding[];
  /** The target's tables under their own spelling, by `formatTableName` of the name in the plan; null: missing. */
  readonly tables: ReadonlyMap<string, TargetTable | null>;
  /** Wanted, allowed to the role, and safe for these tables (protocol rule 25). */
  readonly enforcementOff: boolean;
  /** The sentinel's table under its own spelling; null: none, or missing. */
  readonly sentinel: TableName | null;
}

/**
 * Checks a PostgreSQL target against the plan, over an open connection as the role that will apply. What can be tried is tried, in
 * transactions that are rolled back; nothing is left behind. Never stops at the first problem.
 * @throws the driver's error when the connection is lost
 */
export async function preflightPostgres(client: pg.Client, plan: TargetPlan): Promise<TargetPreflight> {
  const server = await checkServer(client, plan.connectionsNeeded);
  const tables = await describeTables(
    client,
    plan.tables.map(({ target }) => target),
  );
  const mapped: MappedTable[] = plan.tables.flatMap(({ source, target }) => {
    const found = tables.get(formatTableName(target));
    return found ? [{ source, target: found }] : [];
  });
  const allowed = plan.enforcementOffWanted && (await mayUseReplicationRole(client));
  const obstacles = plan.enforcementOffWanted
    ? [...checkEnforcementMayBeOff(mapped), ...checkDeferrableKeys(mapped)]
    : [];
  const enforcementOff = allowed && obstacles.length === 0;
  const privileges: Finding[] = [];
  for (const table of mapped.filter(isTable)) privileges.push(...(await checkPrivileges(client, table, server.role)));

  const sentinel = plan.sentinel === null ? null : await checkSentinel(client, plan.sentinel, server.role);

  return {
    tables,
    enforcementOff,
    sentinel: sentinel?.table ?? null,
    findings: [
      ...server.findings,
      ...plan.tables
        .filter(({ target }) => !tables.get(formatTableName(target)))
        .map(({ target }) => missingTable(target)),
      ...sharedTables(mapped),
      ...mapped.flatMap((table) => checkTable(table, { role: server.role, enforcementOff })),
      ...mapped.filter(isTable).flatMap((table) => [...checkKeys(table), ...checkColumns(table, plan.extraColumns)]),
      ...privileges,
      ...(sentinel?.findings ?? []),
      ...(plan.enforcementOffWanted && !allowed ? [replicationRoleRefused(server.role)] : []),
      ...obstacles,
      ...checkForeignKeys(mapped, enforcementOff),
      ...checkModes(mapped, {
        immediate: plan.immediate === true,
        deadLetters: plan.deadLetters === true,
        enforcementOff,
      }),
      ...checkUniqueKeys(mapped.filter(isTable), enforcementOff),
      ...(await checkCheckpoint(
        client,
        {
          schema: plan.checkpointSchema,
          run: plan.run,
          streams: plan.streams,
          tables: mapped.map(({ target }) => target.name),
        },
        server,
      )),
    ],
  };
}

function isTable({ target }: MappedTable): boolean {
  return target.kind === 'table' || target.kind === 'partitioned table';
}
