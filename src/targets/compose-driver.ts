import { foreignKeyOrder } from '../domain/foreign-key-order.js';
import type { SourceTable } from '../domain/source-table.js';
import { formatTableName, type TableName } from '../domain/table.js';
import { describeAligned, type AlignedSequence } from './aligned-sequence.js';
import type { TargetDriver } from './driver.js';
import type { Mapped } from './mapped-table.js';
import type { ComparedTable } from './snapshot.js';
import type { ReferencingTable, TargetPlan, TargetPreflight } from './target-plan.js';

/** What a dialect gives for its driver, beside what it has of its own: work over one short-lived connection. */
export interface DriverParts<Client, Table extends ReferencingTable> {
  readonly run: string;
  readonly checkpointSchema: string;
  /** Connects, works, and closes whatever happens; errors are the port's. */
  readonly asking: <T>(doing: string, work: (client: Client) => Promise<T>) => Promise<T>;
  preflight(client: Client, plan: TargetPlan): Promise<TargetPreflight<Table>>;
  /** By `formatTableName` of the name asked for; null: missing. */
  describeTables(client: Client, names: readonly TableName[]): Promise<ReadonlyMap<string, Table | null>>;
  /** Null: not comparable, as preflight has said. */
  planComparison(table: Mapped<Table>): ComparedTable | null;
  writeSentinel(client: Client, table: TableName, id: string): Promise<void>;
  eraseSentinel(client: Client, table: TableName, id: string): Promise<boolean>;
  alignSequences(client: Client, tables: readonly TableName[]): Promise<readonly AlignedSequence[]>;
}

/** A connection of a dialect, for a moment. */
export interface ConnectionWords<Client> {
  connect(): Promise<Client>;
  close(client: Client): Promise<void>;
  toTargetError(error: unknown, doing: string): Error;
}

/** `asking` of `DriverParts` over these words. */
export function askOver<Client>(words: ConnectionWords<Client>): DriverParts<Client, never>['asking'] {
  return async (doing, work) => {
    const client = await words.connect();
    try {
      return await work(client);
    } catch (error) {
      throw words.toTargetError(error, doing);
    } finally {
      await words.close(client);
    }
  };
}

type Composed = Pick<
  TargetDriver,
  'checkpointSchema' | 'preflight' | 'planComparison' | 'writeSentinel' | 'eraseSentinel' | 'alignSequences'
>;

/** Connections that a run opens at once beside those that apply: checkpoint looks of the attempt and of the watch, one to spare. */
const CONNECTIONS_BESIDE = 4;

/** The calls of a driver that are the same whatever the dialect. */
export function composeDriver<Client, Table extends ReferencingTable>(parts: DriverParts<Client, Table>): Composed {
  const { run, checkpointSchema, asking } = parts;
  return {
    checkpointSchema,
    preflight: (wish) =>
      asking('checking the target', async (client) => {
        const { applyConnections = 1, immediate = false, deadLetters = false, ...wished } = wish;
        const { findings, tables, enforcementOff, sentinel } = await parts.preflight(client, {
          ...wished,
          run,
          streams: [run],
          checkpointSchema,
          connectionsNeeded: CONNECTIONS_BESIDE + applyConnections + (immediate ? 1 : 0),
          immediate,
          deadLetters,
        });
        const found = [...tables.values()].filter((table) => table !== null);
        const references = found.flatMap((table) => table.foreignKeysOut);
        return { findings, order: orderOf(found), references, enforcementOff, sentinel };
      }),
    planComparison: (tables) =>
      asking('reading the target tables', async (client) => {
        const names = tables.map(({ target }) => target);
        const found = await parts.describeTables(client, names);
        return tables.map(({ source, target }) =>
          requirePlan(parts, source, found.get(formatTableName(target)) ?? null, target),
        );
      }),
    writeSentinel: (table, id) =>
      asking('writing the sentinel row', (client) => parts.writeSentinel(client, table, id)),
    eraseSentinel: (table, id) =>
      asking('deleting the sentinel row', (client) => parts.eraseSentinel(client, table, id)),
    alignSequences: (tables) =>
      asking('setting sequences', async (client) => describeAligned(await parts.alignSequences(client, tables))),
  };
}

function requirePlan<Table extends ReferencingTable>(
  { planComparison }: Pick<DriverParts<never, Table>, 'planComparison'>,
  source: SourceTable,
  target: Table | null,
  name: TableName,
): ComparedTable {
  const planned = target === null ? null : planComparison({ source, target });
  if (planned !== null) return planned;
  throw new Error(`${formatTableName(name)} cannot be compared: the target has no such table, or not its key columns`);
}

/** Parents first, in the target's own spelling. */
function orderOf(tables: readonly ReferencingTable[]): readonly TableName[] {
  const byName = new Map(tables.map((table) => [formatTableName(table.name), table.name]));
  const { ordered } = foreignKeyOrder(
    tables.map((table) => ({
      name: formatTableName(table.name),
      references: table.foreignKeysOut.map((key) => formatTableName(key.references)),
    })),
  );
  return ordered.flatMap((name) => byName.get(name) ?? []);
}
