import { readClusterId } from '../cockroach/introspect.js';
import { preflightCockroach } from '../cockroach/preflight.js';
import { groupsOf } from '../domain/apply-groups.js';
import { mergeChangefeedOptions, refuseOptions } from '../domain/changefeed-options.js';
import { action, createFinding, isBlocking, type Finding } from '../domain/finding.js';
import type { Place } from '../domain/place.js';
import { receiverAddress } from '../domain/receiver-address.js';
import type { RunbookInput } from '../domain/runbook-input.js';
import type { SentinelTable } from '../domain/sentinel.js';
import { formatTableName, parseTableName, type StreamPlan } from '../domain/table.js';
import { withSource, withStore, type Access } from './access.js';
import { translate, translated } from './failure-translation.js';
import { planGroups, planStream, targetOf } from './stream-plan.js';

export interface PreflightDeps extends Access {
  /** Receiver of this worker, as CockroachDB reaches it, and what speaks against it; null: it has none. */
  receiver(): Promise<{ readonly advertisedUrl: string; readonly findings: readonly Finding[] } | null>;
  /** Whether a connection that the input names is known here. @throws UnknownConnectionError */
  requireForward(forward: string): void;
  /** Names of our search attributes that the namespace has. */
  searchAttributes(): Promise<readonly string[]>;
}

/** Everything that preflight has found. Plain data without secrets. */
export interface PreflightFacts {
  readonly findings: readonly Finding[];
  readonly plan: StreamPlan;
  /** Segments of the sink URL's path. */
  readonly sinkPath: readonly string[];
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
      const wanted = input.tables.flatMap((text) => parseTableName(text) ?? []);
      // With `pull` nobody has to reach us.
      const receiver = input.intake === 'pull' ? null : await deps.receiver();
      const refusedOptions = checkOptions(input);
      const findings: Finding[] = [...refusedOptions];
      if (receiver !== null) findings.unshift(...receiver.findings);
      else if (input.intake !== 'pull') findings.push(noReceiver());
      const sentinel = input.drain.sentinel === undefined ? null : parseTableName(input.drain.sentinel);
      const target = await attempt(findings, 'target', place.target, () => Promise.resolve(deps.target(place)));
      const schema = input.targetSchema ?? target?.defaultSchema ?? undefined;
      // The sink URL's path names one schema, as the sender's address. Each row finds its table by its topic, in whatever schema. An unreachable
      // target is a finding beside the others.
      const sinkPath =
        target === null
          ? null
          : await attempt(findings, 'target', place.target, () =>
              target.sinkPath(schema ?? wanted[0]?.schema ?? 'public'),
            );
      const unread: Finding[] = [];
      const cursor =
        sinkPath === null
          ? null
          : await attempt(unread, 'target', place.target, () =>
              withStore(deps, place, (store) => store.read(place.run)),
            );
      const source = await attempt(findings, 'source', place.source, () =>
        withSource(deps, place, async (cockroach) => ({
          clusterId: await readClusterId(cockroach),
          ...(await preflightCockroach(cockroach, {
            tables: wanted,
            options: refusedOptions.length > 0 ? {} : mergeChangefeedOptions(input.changefeed),
            settings: input.clusterSettings,
            stream: place.run,
            intake: input.intake,
            receiver: receiver && { ...receiverAddress(receiver.advertisedUrl), path: sinkPath ?? [] },
            outageMs: input.limits.outage,
            ...(cursor === null ? {} : { cursor: cursor.applied }),
            ...(sentinel === null ? {} : { sentinel }),
            now: () => Date.now(),
          })),
        })),
      );
      findings.push(...(source?.findings ?? []));
      const tables = source?.tables ?? [];
      const ofTarget: Finding[] = [];
      const answer =
        source === null || target === null || sinkPath === null
          ? null
          : await attempt(ofTarget, 'target', place.target, () =>
              target.preflight({
                tables: tables.map((table) => ({ source: table, target: targetOf(table.table, schema) })),
                run: place.run,
                enforcementOffWanted: input.apply.enforcement === 'auto',
                sentinel: sentinel && targetOf(sentinel, schema),
                extraColumns: input.apply.extraColumns,
                ...(input.apply.enableParallelApplies ? { applyConnections: input.apply.targetMaxPoolSize } : {}),
                immediate: input.apply.mode === 'immediate',
                deadLetters: input.apply.onBadRow === 'deadLetter',
              }),
            );
      ofTarget.push(...(answer?.findings ?? []));
      // Why our row cannot be read is among what is blocking, with what to do about it: a user whom MySQL lets see nothing needs his grants.
      findings.push(...(ofTarget.some(isBlocking) ? [] : unread), ...ofTarget);
      const { staging } = input;
      if (staging !== undefined) {
        const lacking = await attempt(findings, 'staging', staging.connection, () =>
          deps.staging(staging, place.run).preflight(),
        );
        findings.push(...(lacking ?? []));
      }
      const ordered = planStream(tables, answer?.order ?? [], schema);
      const plan = input.apply.enableParallelApplies
        ? planGroups(ordered, tables, answer?.references ?? [], input.apply.parallelism)
        : ordered;
      if (input.apply.enableParallelApplies) findings.push(describeGroups(plan));
      return {
        findings,
        plan,
        sinkPath: sinkPath ?? [],
        enforcementOff: answer?.enforcementOff ?? false,
        clusterId: source?.clusterId ?? '',
        tableIds: Object.fromEntries(tables.map((table) => [formatTableName(table.table), table.id])),
        searchAttributes: await deps.searchAttributes(),
        sentinel: sentinel && answer?.sentinel ? { source: sentinel, target: answer.sentinel } : null,
      };
    },
  });
}

/** Which tables are applied side by side: a reader of the target sees states of the source within a group only. */
function describeGroups(plan: StreamPlan): Finding {
  const groups = groupsOf(plan);
  const names = groups.map(({ tables }) =>
    tables.flatMap((table) => (plan[table] ? [formatTableName(plan[table].target)] : [])).join(', '),
  );
  return createFinding('note', 'apply.groups', {
    object: 'parallel applies',
    problem:
      groups.length === 0
        ? 'foreign keys hold all tables together, or parallelism is 1, so they are applied as one'
        : 'tables without foreign keys between them are applied side by side, each group consistently by itself',
    found: groups.length === 0 ? 'one group' : names.map((name) => `(${name})`).join(' '),
    remedy: action('Nothing to do.'),
  });
}

/** A side that cannot be asked is one finding, and the other side is looked at all the same. */
async function attempt<T>(
  findings: Finding[],
  side: 'source' | 'target' | 'staging',
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
        problem: `the ${side === 'staging' ? 'staging database' : side} cannot be asked`,
        found: message,
        remedy: action('Correct what the message names, or the connection of the worker, and start again.'),
      }),
    );
    return null;
  }
}

function noReceiver(): Finding {
  return createFinding('blocking', 'receiver.none', {
    object: 'this worker',
    problem: 'it has no receiver to which a changefeed could send',
    found: 'FAILBACK_RECEIVER_URL is not set',
    remedy: action('Give the worker a receiver (FAILBACK_RECEIVER_URL and its certificate), or say "intake": "pull".'),
  });
}

function checkOptions(input: RunbookInput): Finding[] {
  return refuseOptions(input.changefeed.options, input.intake).map(({ option, reason }) =>
    createFinding('blocking', 'changefeed.option', {
      object: `changefeed.options.${option}`,
      problem: 'the stream cannot live with this option',
      found: String(input.changefeed.options[option]),
      remedy: action(`Remove it: ${reason}.`),
    }),
  );
}
