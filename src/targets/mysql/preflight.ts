import type { Finding } from '../../domain/finding.js';
import { formatTableName } from '../../domain/table.js';
import { checkEnforcementMayBeOff } from '../enforcement.js';
import { checkModes } from '../preflight-modes.js';
import type { TargetPlan, TargetPreflight } from '../target-plan.js';
import type { MysqlClient } from './client.js';
import { describeTables } from './introspection.js';
import type { MappedTable } from './mapped-table.js';
import { checkCheckpoint } from './preflight-checkpoint.js';
import { checkColumns } from './preflight-columns.js';
import { checkForeignKeys } from './preflight-foreign-keys.js';
import { checkKeys } from './preflight-keys.js';
import { checkPrivileges, checkUnseen } from './preflight-privileges.js';
import { checkSentinel } from './preflight-sentinel.js';
import { checkServer } from './preflight-server.js';
import { checkTriggersSeen, foreignKeysUnseen, readUnseenForeignKeys, withForeignKeys } from './preflight-sight.js';
import { checkTable, missingTable, sharedTables } from './preflight-tables.js';
import { checkUniqueKeys } from './preflight-unique-keys.js';
import type { TargetTable } from './table-shape.js';

/**
 * Checks a MySQL or MariaDB target against the plan, over an open connection as the user who will apply. What can be tried is tried, by
 * statements that change nothing; nothing is left behind. Never stops at the first problem.
 * @throws the driver's error when the connection is lost
 */
export async function preflightMysql(client: MysqlClient, plan: TargetPlan): Promise<TargetPreflight<TargetTable>> {
  const { product } = client.server;
  const server = await checkServer(client, plan.connectionsNeeded);
  const tables = await describeTables(
    client,
    plan.tables.map(({ target }) => target),
  );
  const seen: MappedTable[] = plan.tables.flatMap(({ source, target }) => {
    const found = tables.get(formatTableName(target));
    return found ? [{ source, target: found }] : [];
  });
  const unseenKeys = await readUnseenForeignKeys(client, seen, product);
  const mapped = withForeignKeys(seen, unseenKeys ?? []);
  const obstacles = plan.enforcementOffWanted ? checkEnforcementMayBeOff(mapped) : [];
  const enforcementOff = plan.enforcementOffWanted && unseenKeys !== null && obstacles.length === 0;

  const missing: Finding[] = [];
  for (const { target } of plan.tables.filter(({ target }) => !tables.get(formatTableName(target)))) {
    const unseen = await checkUnseen(client, target, server.account);
    missing.push(...(unseen.length > 0 ? unseen : [missingTable(target)]));
  }
  const privileges: Finding[] = [];
  // Of a table that may not be read, columns may be hidden, and the others would tell of a table that is none.
  const readable: MappedTable[] = [];
  for (const table of mapped.filter(isTable)) {
    const denied = await checkPrivileges(client, table, server.account);
    privileges.push(...denied);
    if (!denied.some(({ id }) => id === 'privilege.select')) readable.push(table);
  }
  const sentinel = plan.sentinel === null ? null : await checkSentinel(client, plan.sentinel, server.account);

  return {
    tables: new Map(
      [...tables].map(([name, table]) => [
        name,
        mapped.find(({ target }) => target.name === table?.name)?.target ?? null,
      ]),
    ),
    enforcementOff,
    sentinel: sentinel?.table ?? null,
    findings: [
      ...server.findings,
      ...missing,
      ...sharedTables(mapped),
      ...mapped.flatMap(checkTable),
      ...readable.flatMap((table) => [
        ...checkKeys(table, product),
        ...checkColumns(table, plan.extraColumns, product),
      ]),
      ...privileges,
      ...(await checkTriggersSeen(client, mapped.filter(isTable), server.account, product)),
      ...(sentinel?.findings ?? []),
      ...(plan.enforcementOffWanted && unseenKeys === null ? [foreignKeysUnseen(server.account)] : []),
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
  return target.kind === 'table';
}
