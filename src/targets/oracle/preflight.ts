import { createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { formatTableName } from '../../domain/table.js';
import { checkModes } from '../preflight-modes.js';
import type { TargetPlan, TargetPreflight } from '../target-plan.js';
import type { OracleClient } from './client.js';
import { describeTables, readSight, type Sight } from './introspection.js';
import type { MappedTable } from './mapped-table.js';
import { quoteName } from './names.js';
import { checkCheckpoint } from './preflight-checkpoint.js';
import { checkColumns } from './preflight-columns.js';
import { checkForeignKeys, enforcementStaysOn } from './preflight-foreign-keys.js';
import { checkKeys } from './preflight-keys.js';
import { checkPrivileges, checkUnseen } from './preflight-privileges.js';
import { checkSentinel } from './preflight-sentinel.js';
import { checkServer } from './preflight-server.js';
import { checkTable, sharedTables } from './preflight-tables.js';
import { checkUniqueKeys } from './preflight-unique-keys.js';
import type { TargetTable } from './table-shape.js';

/**
 * Checks an Oracle target against the plan, over an open connection as the user who will apply. What can be tried is tried, by plans of statements
 * that are never run; nothing is left behind. Never stops at the first problem.
 * @throws the driver's error when the connection is lost
 */
export async function preflightOracle(client: OracleClient, plan: TargetPlan): Promise<TargetPreflight<TargetTable>> {
  const server = await checkServer(client, plan.connectionsNeeded);
  const sight = await readSight(client);
  const tables = await describeTables(
    client,
    plan.tables.map(({ target }) => target),
    sight,
  );
  const mapped: MappedTable[] = plan.tables.flatMap(({ source, target }) => {
    const found = tables.get(formatTableName(target));
    return found ? [{ source, target: found }] : [];
  });
  const missing = plan.tables
    .filter(({ target }) => !tables.get(formatTableName(target)))
    .map(({ target }) => checkUnseen(target, server.user));
  const real = mapped.filter(({ target }) => target.kind === 'table');
  const privileges: Finding[] = [];
  for (const table of real) privileges.push(...(await checkPrivileges(client, table, server.user)));
  const sentinel = plan.sentinel === null ? null : await checkSentinel(client, plan.sentinel, server.user);
  const checkpoint = await checkCheckpoint(
    client,
    {
      schema: plan.checkpointSchema,
      run: plan.run,
      streams: plan.streams,
      tables: mapped.map(({ target }) => target.name),
    },
    server,
  );
  // The plans that were tried are rows of a temporary table.
  await client.rollback();
  return {
    tables,
    enforcementOff: false,
    sentinel: sentinel?.table ?? null,
    findings: [
      ...server.findings,
      ...missing,
      ...sharedTables(mapped),
      ...mapped.flatMap(checkTable),
      ...real.flatMap((table) => [...checkKeys(table), ...checkColumns(table, plan.extraColumns)]),
      ...privileges,
      ...checkSight(real, sight, server.user),
      ...(sentinel?.findings ?? []),
      ...(plan.enforcementOffWanted ? [enforcementStaysOn()] : []),
      ...checkForeignKeys(real),
      ...checkModes(real, {
        immediate: plan.immediate === true,
        deadLetters: plan.deadLetters === true,
        // No session of Oracle's can do without them.
        enforcementOff: false,
      }),
      ...checkUniqueKeys(real),
      ...checkpoint,
    ],
  };
}

/** A plain user sees the triggers of its own tables, and foreign keys of tables on which it has a privilege. */
function checkSight(tables: readonly MappedTable[], sight: Sight, user: string): Finding[] {
  const others = tables.filter(({ target }) => target.name.schema !== user);
  const unseen = sight.triggers === 'all_triggers' ? others : [];
  return [
    ...unseen.map(({ target }) =>
      createFinding('warning', 'privilege.trigger', {
        object: formatTableName(target.name),
        problem: `the user ${user} may not see its triggers, and a trigger would fire for every row of the stream`,
        found: 'DBA_TRIGGERS may not be read',
        remedy: onTarget(`GRANT SELECT ON "SYS"."DBA_TRIGGERS" TO ${quoteName(user)}`),
      }),
    ),
    ...(sight.constraints === 'dba_constraints' || tables.length === 0
      ? []
      : [
          createFinding('note', 'privilege.constraints', {
            object: `user ${user}`,
            problem:
              'it may not see foreign keys of tables on which it has no privilege, and such a key may refuse a delete',
            found: 'DBA_CONSTRAINTS and DBA_CONS_COLUMNS may not be read',
            remedy: onTarget(
              `GRANT SELECT ON "SYS"."DBA_CONSTRAINTS" TO ${quoteName(user)}; GRANT SELECT ON "SYS"."DBA_CONS_COLUMNS" TO ${quoteName(user)}`,
            ),
          }),
        ]),
  ];
}
