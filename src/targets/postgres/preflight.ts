import type pg from 'pg';
import type { Finding } from '../../domain/finding.js';
import { formatTableName } from '../../domain/table.js';
import type { TargetPlan, TargetPreflight } from '../target-plan.js';
import { describeTables } from './introspection.js';
import { checkEnforcementMayBeOff } from '../enforcement.js';
import { checkModes } from '../preflight-modes.js';
import type { MappedTable } from './mapped-table.js';
import { checkCheckpoint } from './preflight-checkpoint.js';
import { checkColumns } from './preflight-columns.js';
import { checkForeignKeys } from './preflight-foreign-keys.js';
import { checkKeys } from './preflight-keys.js';
import { checkPrivileges, mayUseReplicationRole, replicationRoleRefused } from './preflight-privileges.js';
import { checkSentinel } from './preflight-sentinel.js';
import { checkServer } from './preflight-server.js';
import { checkTable, missingTable, sharedTables } from './preflight-tables.js';
import { checkDeferrableKeys, checkUniqueKeys } from './preflight-unique-keys.js';
import type { TargetTable } from './table-shape.js';

/**
 * Checks a PostgreSQL target against the plan, over an open connection as the role that will apply. What can be tried is tried, in
 * transactions that are rolled back; nothing is left behind. Never stops at the first problem.
 * @throws the driver's error when the connection is lost
 */
export async function preflightPostgres(client: pg.Client, plan: TargetPlan): Promise<TargetPreflight<TargetTable>> {
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
