import { readClusterId } from '../cockroach/introspect.js';
import { preflightCockroach } from '../cockroach/preflight.js';
import { topicOf } from '../cockroach/changefeed-statement.js';
import type { IntrospectedTable } from '../cockroach/introspect.js';
import { mergeChangefeedOptions, refuseOptions } from '../domain/changefeed-options.js';
import { action, createFinding, type Finding } from '../domain/finding.js';
import type { Place } from '../domain/place.js';
import { receiverAddress } from '../domain/receiver-address.js';
import type { RunbookInput } from '../domain/runbook-input.js';
import type { SentinelTable } from '../domain/sentinel.js';
import { formatTableName, type StreamPlan, type TableName } from '../domain/table.js';
import { withSource, withStore, type Access } from './access.js';
import { translate, translated } from './failure-translation.js';

export interface PreflightDeps extends Access {
  /** Receiver of this worker, as CockroachDB reaches it, and what speaks against it. */
  receiver(): Promise<{ readonly advertisedUrl: string; readonly findings: readonly Finding[] }>;
  /** Whether a connection that the input names is known here. @throws UnknownConnectionError */
  requireForward(forward: string): void;
  /** Names of our search attributes that the namespace has. */
  searchAttributes(): Promise<readonly string[]>;
}

/** Everything that preflight has found. Plain data without secrets. */
export interface PreflightFacts {
  readonly findings: readonly Finding[];
  readonly plan: StreamPlan;
  readonly targetDatabase: string;
  readonly targetSchema: string;
  readonly enforcementOff: boolean;
  readonly clusterId: string;
  readonly tableIds: Readonly<Record<string, string>>;
  readonly searchAttributes: readonly string[];
  /** Table of the drain's sentinel row; null: the input names none. */
  readonly sentinel?: SentinelTable | null;
}

/** The activity that looks at both sides and at the receiver, and touches nothing. */
export function createPreflightActivities(deps: PreflightDeps) {
  return translated({
    async preflight({ place, input }: { place: Place; input: RunbookInput }): Promise<PreflightFacts> {
      if (input.drain.forward !== undefined) deps.requireForward(input.drain.forward);
      const wanted = input.tables.map(parseName);
      const receiver = await deps.receiver();
      const refusedOptions = checkOptions(input);
      const findings: Finding[] = [...receiver.findings, ...refusedOptions, ...checkSchemas(wanted, input)];
      const sentinel = input.drain.sentinel === undefined ? null : parseName(input.drain.sentinel);
      const targetSchema = input.targetSchema ?? wanted[0]?.schema ?? 'public';

      const target = deps.target(place);
      // The target's database names the path of the sink URL; an unreachable target is a finding beside the others.
      const database = await attempt(findings, 'target', place.target, () => target.databaseName());
      const cursor = database === null ? null : await withStore(deps, place, (store) => store.read(place.run));
      const source = await attempt(findings, 'source', place.source, () =>
        withSource(deps, place, async (cockroach) => ({
          clusterId: await readClusterId(cockroach),
          ...(await preflightCockroach(cockroach, {
            tables: wanted,
            options: refusedOptions.length > 0 ? {} : mergeChangefeedOptions(input.changefeed),
            settings: input.clusterSettings,
            stream: place.run,
            receiver: { ...receiverAddress(receiver.advertisedUrl), path: [database ?? '', targetSchema] },
            outageMs: input.limits.outage,
            ...(cursor === null ? {} : { cursor: cursor.applied }),
            ...(sentinel === null ? {} : { sentinel }),
            now: () => Date.now(),
          })),
        })),
      );
      findings.push(...(source?.findings ?? []));
      const tables = source?.tables ?? [];
      const answer =
        source === null || database === null
          ? null
          : await attempt(findings, 'target', place.target, () =>
              target.preflight({
                tables: tables.map((table) => ({ source: table, target: targetOf(table.table, input) })),
                run: place.run,
                checkpointSchema: place.checkpointSchema,
                enforcementOffWanted: input.apply.enforcement === 'auto',
                sentinel: sentinel && targetOf(sentinel, input),
                extraColumns: input.apply.extraColumns,
              }),
            );
      findings.push(...(answer?.findings ?? []));
      return {
        findings,
        plan: planOf(tables, answer?.order ?? [], input),
        targetDatabase: database ?? '',
        targetSchema,
        enforcementOff: answer?.enforcementOff ?? false,
        clusterId: source?.clusterId ?? '',
        tableIds: Object.fromEntries(tables.map((table) => [formatTableName(table.table), table.id])),
        searchAttributes: await deps.searchAttributes(),
        sentinel: sentinel && answer?.sentinel ? { source: sentinel, target: answer.sentinel } : null,
      };
    },
  });
}

/** A side that cannot be asked is one finding, and the other side is looked at all the same. */
async function attempt<T>(
  findings: Finding[],
  side: 'source' | 'target',
  connection: string,
  work: () => Promise<T>,
): Promise<T | null> {
  try {
    return await work();
  } catch (error) {
    const { type, message } = translate(error);
    if (type === 'Internal.Defect') throw error;
    findings.push(
      createFinding('blocking', `${side}.unreachable`, {
        object: `connection ${connection}`,
        problem: `the ${side} cannot be asked`,
        found: message,
        remedy: action('Correct what the message names, or the connection of the worker, and start again.'),
      }),
    );
    return null;
  }
}

function checkOptions(input: RunbookInput): Finding[] {
  return refuseOptions(input.changefeed.options).map(({ option, reason }) =>
    createFinding('blocking', 'changefeed.option', {
      object: `changefeed.options.${option}`,
      problem: 'the stream cannot live with this option',
      found: String(input.changefeed.options[option]),
      remedy: action(`Remove it: ${reason}.`),
    }),
  );
}

/** One stream sends to one path, and the path names one schema. */
function checkSchemas(tables: readonly TableName[], input: RunbookInput): Finding[] {
  const schemas = [...new Set(tables.map((table) => table.schema))];
  if (schemas.length < 2 || input.targetSchema !== undefined) return [];
  return [
    createFinding('blocking', 'tables.schemas', {
      object: 'tables',
      problem: 'they lie in several schemas',
      found: schemas.join(', '),
      remedy: action('Name targetSchema, or start one run for each schema.'),
    }),
  ];
}

function parseName(text: string): TableName {
  const [schema = '', table = ''] = text.split('.');
  return { schema, table };
}

function targetOf(source: TableName, input: RunbookInput): TableName {
  return { schema: input.targetSchema ?? source.schema, table: source.table };
}

/** The stream's tables in the order in which the target takes them, parents first. */
function planOf(tables: readonly IntrospectedTable[], order: readonly TableName[], input: RunbookInput): StreamPlan {
  const names = tables.map((table) => table.table);
  return order.flatMap((target) => {
    const found = tables.find(
      ({ table }) => formatTableName(targetOf(table, input)).toLowerCase() === formatTableName(target).toLowerCase(),
    );
    if (!found) return [];
    return [
      {
        topic: topicOf(found.table, found.fullName, names),
        source: found.table,
        sourceId: found.id,
        target,
        keyColumns: found.keyColumns.map(({ name, keyClass }) => ({ name, keyClass: keyClass ?? 'exact' })),
      },
    ];
  });
}
