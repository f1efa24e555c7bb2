import { foreignKeyOrder } from '../../domain/foreign-key-order.js';
import type { SourceTable } from '../../domain/source-table.js';
import { formatTableName, type TableName } from '../../domain/table.js';
import type { DriverOptions, SequencesAnswer, TargetDriver } from '../driver.js';
import { openOracleCheckpointStore } from './checkpoint-store.js';
import { connectOracle, type OracleClient } from './client.js';
import { planComparison } from './comparison-plan.js';
import { readConnectionString } from './connection-string.js';
import { toTargetError } from './errors.js';
import { describeTables } from './introspection.js';
import { preflightOracle } from './preflight.js';
import { eraseSentinel, writeSentinel } from './sentinel.js';
import { alignSequences } from './sequences.js';
import { openOracleApplySession } from './session.js';
import { openOracleSnapshot } from './snapshot.js';
import type { TargetTable } from './table-shape.js';

/** Connections that a run opens at once beside those that apply: checkpoint looks of the attempt and of the watch, one to spare. */
const CONNECTIONS_BESIDE = 4;

/**
 * An Oracle target behind its connection string. Each call connects anew; nothing is opened before it is needed.
 * @param connectionString holds the password; it is never shown
 */
export function createOracleDriver(
  connectionString: string,
  { run, checkpointSchema: wanted }: DriverOptions,
): TargetDriver {
  const user = schemaOf(readConnectionString(connectionString).user);
  const checkpointSchema = wanted ?? user;
  const connection = { connectionString, applicationName: `failback ${run}` };

  const asking = async <T>(doing: string, work: (client: OracleClient) => Promise<T>): Promise<T> => {
    const client = await connectOracle(connection);
    try {
      return await work(client);
    } catch (error) {
      throw toTargetError(error, doing);
    } finally {
      await client.close();
    }
  };

  return {
    defaultSchema: user,
    checkpointSchema,
    deadLetterTable: `${checkpointSchema}.FAILBACK_DEAD_LETTERS`,
    sinkPath: (schema) => Promise.resolve([schema]),
    preflight: (wish) =>
      asking('checking the target', async (client) => {
        const { findings, tables, enforcementOff, sentinel } = await preflightOracle(client, {
          tables: wish.tables,
          run: wish.run,
          streams: [wish.run],
          checkpointSchema,
          connectionsNeeded: CONNECTIONS_BESIDE + (wish.applyConnections ?? 1) + (wish.immediate === true ? 1 : 0),
          enforcementOffWanted: wish.enforcementOffWanted,
          sentinel: wish.sentinel,
          extraColumns: wish.extraColumns,
          immediate: wish.immediate === true,
          deadLetters: wish.deadLetters === true,
        });
        const found = [...tables.values()].filter((table) => table !== null);
        const references = found.flatMap((table) => table.foreignKeysOut);
        return { findings, order: orderOf(found), references, enforcementOff, sentinel };
      }),
    openStore: () => openOracleCheckpointStore(connection, checkpointSchema),
    openApplySession: (options) => openOracleApplySession({ ...options, checkpointSchema, connectionString }),
    writeSentinel: (table, id) => asking('writing the sentinel row', (client) => writeSentinel(client, table, id)),
    eraseSentinel: (table, id) => asking('deleting the sentinel row', (client) => eraseSentinel(client, table, id)),
    alignSequences: (tables) =>
      asking('setting sequences', async (client) => describe(await alignSequences(client, tables))),
    openSnapshot: () => openOracleSnapshot(connection, checkpointSchema),
    planComparison: (tables) =>
      asking('reading the target tables', async (client) => {
        const found = await describeTables(
          client,
          tables.map(({ target }) => target),
        );
        return tables.map(({ source, target }) => plan(source, found.get(formatTableName(target)) ?? null, target));
      }),
  };
}

/** `app` is APP, `"app"` is app, and `proxy[app]` is who it stands for. */
function schemaOf(user: string): string {
  const [, name = user] = /\[(.+)\]$/.exec(user) ?? [];
  const [, quoted] = /^"(.+)"$/.exec(name) ?? [];
  return quoted ?? name.toUpperCase();
}

function plan(source: SourceTable, target: TargetTable | null, name: TableName) {
  const planned = target === null ? null : planComparison({ source, target });
  if (planned === null)
    throw new Error(
      `${formatTableName(name)} cannot be compared: the target has no such table, or not its key columns`,
    );
  return planned;
}

/** Parents first, in the target's own spelling. */
function orderOf(tables: readonly TargetTable[]): readonly TableName[] {
  const byName = new Map(tables.map((table) => [formatTableName(table.name), table.name]));
  const { ordered } = foreignKeyOrder(
    tables.map((table) => ({
      name: formatTableName(table.name),
      references: table.foreignKeysOut.map((key) => formatTableName(key.references)),
    })),
  );
  return ordered.flatMap((name) => byName.get(name) ?? []);
}

function describe(aligned: Awaited<ReturnType<typeof alignSequences>>): SequencesAnswer {
  const name = (one: (typeof aligned)[number]): string =>
    `${one.sequence} of ${formatTableName(one.table)}.${one.column}`;
  return {
    done: aligned
      .filter((one) => one.outcome === 'set')
      .map((one) => `${name(one)} now gives ${one.now ?? 'its next value'} (was ${one.was ?? 'unknown'})`),
    remains: aligned.flatMap((one) => (one.statement === null ? [] : [`${name(one)}: run ${one.statement}`])),
  };
}
