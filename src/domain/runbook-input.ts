import { z } from 'zod';
import { ON_BAD_ROW } from './dead-letters.js';
import { parseDuration } from './duration.js';
import { formatTableName, parseTableName } from './table.js';
import { describeIssues, type InputProblem } from './input-problems.js';

/** A duration in the input: `250ms`, `30s`, `1m30s`, `12h`, `4d`. Kept as milliseconds. */
const durationWith = (none?: string) =>
  z.string('expected a duration such as "30s"').transform((text, context) => {
    const ms = text === none ? 0 : parseDuration(text);
    if (ms === null)
      context.addIssue({ code: 'custom', message: 'expected a duration such as "250ms", "30s", "1m30s" or "4d"' });
    return ms ?? 0;
  });
const durationText = durationWith();

const duration = (fallback: string) => durationText.prefault(fallback);
/** The same, or `0s`. */
const durationOrNone = (fallback: string) => durationWith('0s').prefault(fallback);

const connectionName = z
  .string('expected the name of a connection')
  .regex(
    /^[a-z0-9][a-z0-9-]{0,62}$/,
    'expected the name of a connection that the worker knows (lower-case letters, digits, "-"), never a connection string',
  );

const wholeNumber = (min: number, max: number) =>
  z
    .number(`expected a whole number from ${min} to ${max}`)
    .int()
    .min(min, `expected at least ${min}`)
    .max(max, `expected at most ${max}`);

const count = (fallback: number, min: number, max: number) => wholeNumber(min, max).default(fallback);

const identifier = (what: string) =>
  z.string(`expected ${what}`).min(1, `expected ${what}`).max(128, `expected ${what} of at most 128 characters`);

const tableName = z
  .string('expected "schema.table"')
  .refine(
    (text) => parseTableName(text) !== null,
    'expected "schema.table", spelled as CockroachDB stores it; a part with a dot, a blank or a quote in double quotes',
  )
  .transform((text) => formatTableName(parseTableName(text) ?? { schema: '', table: text }));

const staging = z.strictObject(
  {
    /** The database that holds the stage, by the worker's name for it: CockroachDB or PostgreSQL. */
    connection: connectionName,
    /** `database.schema`, as --stagingSchema. */
    schema: z
      .string('expected "database.schema"')
      .refine(
        (text) => parseTableName(text) !== null,
        'expected "database.schema", spelled as the database stores it; a part with a dot, a blank or a quote in double quotes',
      ),
    /** Make the schema when it is not there, as --stagingCreateSchema; one that is then empty is dropped at the end. */
    createSchema: z.boolean('expected true or false').default(false),
  },
  'expected an object',
);

/** The cluster settings that the runbook may change; each is put back at the end. */
export const CLUSTER_SETTINGS = [
  'kv.rangefeed.enabled',
  'kv.rangefeed.closed_timestamp_refresh_interval',
  'kv.closed_timestamp.target_duration',
  'kv.rangefeed.concurrent_catchup_iterators',
] as const;

/** How rows come from CockroachDB. `webhook`: a changefeed job posts them to the worker; `pull`: the worker reads a changefeed without a sink. */
export const INTAKES = ['webhook', 'pull'] as const;
export type Intake = (typeof INTAKES)[number];

/** In MOLT's words. */
export const APPLY_MODES = ['consistent', 'immediate'] as const;

export const GATES = ['forward', 'finish'] as const;
export type Gate = (typeof GATES)[number];

const drain = z
  .strictObject(
    {
      /** The forward replicator's metrics, as a connection name of the worker's. Absent: a person says `forwardStopped`. */
      forward: connectionName.optional(),
      /** The rate of applied rows must be 0 for so long in every schema. */
      quietFor: duration('30s'),
      /** What the forward replicator may lag behind its source and still count as current. */
      maxSourceLag: duration('10s'),
      pollEvery: duration('2s'),
      /** Who stops it: the worker by its configured command, or a person who then signals `forwardStopped`. */
      stoppedBy: z.enum(['worker', 'person'], 'expected "worker" or "person"').default('person'),
      /** A table that forward replication carries: a row written there on the old database must come to CockroachDB before it counts as drained. */
      sentinel: tableName.optional(),
      /** After so long without being drained an incident starts. */
      limit: duration('1h'),
    },
    'expected an object',
  )
  .prefault({});

const changefeed = z
  .strictObject({
    resolved: z
      .string()
      .regex(/^\d+(ms|s)$/, 'expected a duration such as "250ms"')
      .default('250ms'),
    minCheckpointFrequency: z
      .string()
      .regex(/^\d+(ms|s)$/, 'expected a duration such as "250ms"')
      .default('250ms'),
    flushBytes: count(1_048_576, 1_024, 67_108_864),
    flushFrequency: z
      .string()
      .regex(/^\d+(ms|s)$/, 'expected a duration such as "1s"')
      .default('1s'),
    clientTimeout: z
      .string()
      .regex(/^\d+(ms|s)$/, 'expected a duration such as "10s"')
      .default('10s'),
    /** Further options of CREATE CHANGEFEED, by name; null for an option without a value. */
    options: z.record(z.string(), z.string().nullable()).default({}),
  })
  .prefault({});

/** What is left of the pool is for what coordinates the groups, and for connections that are opened anew. */
const MOST_OF_THE_POOL = 0.8;

const apply = z
  .strictObject({
    /** Rows of one statement on the target. */
    flushSize: count(1_000, 1, 100_000),
    /** Rows after which a window is cut, between two timestamps. */
    windowRows: count(20_000, 1, 1_000_000),
    /** Bytes after which a window is cut, between two timestamps. */
    windowBytes: count(33_554_432, 65_536, 1_073_741_824),
    /** Apply only the last change of each key in a window. */
    collapseMutations: z.boolean('expected true or false').default(true),
    /** `immediate`: each change is applied before it is acknowledged, not only once its timestamp is resolved. MOLT's word. */
    mode: z.enum(APPLY_MODES, 'expected "consistent" or "immediate"').default('consistent'),
    /** What becomes of a column that the source sends and the target's table lacks. */
    extraColumns: z
      .union([z.literal('error'), z.literal('ignore'), z.strictObject({ into: identifier('the name of a column') })], {
        error: 'expected "error", "ignore", or {"into": "<a jsonb column of the target>"}',
      })
      .default('error'),
    /** What becomes of a change that the target will never take: the stream halts, or it is put aside in `dead_letters`. */
    onBadRow: z.enum(ON_BAD_ROW, 'expected "halt" or "deadLetter"').default('halt'),
    /** `auto`: switch foreign keys and triggers off for our transactions where the user may; `on`: never. */
    enforcement: z.enum(['auto', 'on'], 'expected "auto" or "on"').default('auto'),
    /** Applied changes stay in the stage for so long behind the checkpoint, in the source's time. MOLT's word. */
    retireOffset: durationOrNone('30s'),
    lockTimeout: duration('10s'),
    idleInTransactionTimeout: duration('30s'),
    /** How often an idle stream moves its checkpoint. */
    idleAdvance: duration('1s'),
    /** Groups of tables without foreign keys between them are applied side by side, each consistently by itself. */
    enableParallelApplies: z.boolean('expected true or false').default(false),
    /** The most transactions on the target at once. */
    parallelism: count(4, 1, 100),
    /** The most connections that applying may open on the target. */
    targetMaxPoolSize: count(16, 2, 1_000),
    /** Rows that may wait, read ahead of the target's transactions; absent: as many as the transactions that are under way take. */
    targetApplyQueueSize: wholeNumber(1, 10_000_000).optional(),
    /** Rows read from the stage at once; absent: 250. */
    scanSize: wholeNumber(1, 100_000).optional(),
    /** A window that has room waits for more, until so long after the one before; absent: it does not wait. */
    flushPeriod: durationText.optional(),
  })
  .refine(({ parallelism, targetMaxPoolSize }) => parallelism <= targetMaxPoolSize * MOST_OF_THE_POOL, {
    path: ['parallelism'],
    error: ({ input }) => {
      const { parallelism, targetMaxPoolSize } = input as { parallelism: number; targetMaxPoolSize: number };
      return `parallelism ${parallelism} is more than 80% of targetMaxPoolSize ${targetMaxPoolSize}: lower it to ${Math.floor(targetMaxPoolSize * MOST_OF_THE_POOL)}, or raise targetMaxPoolSize`;
    },
  })
  .refine(({ mode, enableParallelApplies }) => mode === 'consistent' || !enableParallelApplies, {
    path: ['mode'],
    error:
      'found "immediate" beside enableParallelApplies: one transaction at a time applies at once. Choose one of the two',
  })
  .prefault({});

const limits = z
  .strictObject({
    /** How long an outage of the target or of us must be survivable: history is kept for so long. */
    outage: duration('12h'),
    heartbeatTimeout: duration('10s'),
    /** A new attempt waits for the stage's own host for so long before it takes another. */
    hostGrace: duration('1m'),
    /** The receiver must listen within. */
    receiverStart: duration('1m'),
    /** No resolved timestamp for so long is an incident. */
    stallAfter: duration('1m'),
    /** With `pull`: nothing for so long, and for 5 times `changefeed.resolved`, is a lost connection. */
    silence: duration('30s'),
    /** Lag beyond this is an incident. */
    maxLag: duration('5m'),
    healthEvery: duration('2s'),
    /** A wait for a person becomes an incident after. */
    approval: duration('24h'),
    /** Finish must have applied everything up to its timestamp within. */
    finish: duration('30m'),
    /** CREATE CHANGEFEED may take so long to answer. */
    createChangefeed: duration('1m'),
    /** Statements on either database give up after. */
    statement: duration('30s'),
    /** Events after which a stream continues as new: its activity hands over, and replication pauses for a moment. */
    streamHistory: count(2_000, 100, 10_000),
  })
  .prefault({});

export const runbookInputSchema = z.strictObject(
  {
    /** CockroachDB, by the worker's name for it. */
    source: connectionName,
    /** The original database, by the worker's name for it. */
    target: connectionName,
    /** Source tables, `schema.table`. */
    tables: z
      .array(tableName, 'expected a list of "schema.table"')
      .min(1, 'expected at least one table')
      .max(500, 'expected at most 500 tables'),
    /** How rows come from CockroachDB. */
    intake: z.enum(INTAKES, 'expected "webhook" or "pull"').default('webhook'),
    /** Schema of the target tables, where it is not the source's. */
    targetSchema: identifier('the name of a schema').optional(),
    /** Where the checkpoint lives on the target. Absent: where its dialect keeps it. */
    checkpointSchema: identifier('the name of a schema').optional(),
    /** A database for the stage, so that it outlives its host. Absent: the stage is in the folder of the worker that receives. */
    staging: staging.optional(),
    /** Cluster settings to set while the stream runs. */
    clusterSettings: z
      .partialRecord(
        z.enum(CLUSTER_SETTINGS, `expected one of ${CLUSTER_SETTINGS.join(', ')}`),
        z.string('expected the value as a string'),
      )
      .default({}),
    /** Gates at which the runbook waits for the signal `approve`. */
    approvals: z.array(z.enum(GATES, `expected one of ${GATES.join(', ')}`), 'expected a list of gates').default([]),
    /** Compare every row of both sides as of the cursor before the stream starts: rows written before it are in no changefeed. */
    compareAtCursor: z.boolean('expected true or false').default(true),
    drain,
    changefeed,
    apply,
    limits,
  },
  'expected one JSON object',
);

/** The input as the runbook uses it: defaults filled in, durations in milliseconds. */
export type RunbookInput = z.output<typeof runbookInputSchema>;

export type ParsedInput =
  | { readonly ok: true; readonly input: RunbookInput }
  | { readonly ok: false; readonly problems: readonly InputProblem[] };

/** Checks the whole input and reports every problem at once. Pure. */
export function parseRunbookInput(raw: unknown): ParsedInput {
  const result = runbookInputSchema.safeParse(raw);
  if (!result.success) return { ok: false, problems: describeIssues(result.error.issues, raw) };
  const twice = result.data.tables.find((name, index) => result.data.tables.indexOf(name) !== index);
  if (twice !== undefined)
    return { ok: false, problems: [{ field: 'tables', message: `found "${twice}" twice: name each table once` }] };
  const { sentinel } = result.data.drain;
  if (sentinel !== undefined && isAmong(sentinel, result.data)) {
    const message = `found "${sentinel}", which is among tables: name a table of its own`;
    return { ok: false, problems: [{ field: 'drain.sentinel', message }] };
  }
  return { ok: true, input: result.data };
}

/** On the source, or on the target, where `targetSchema` puts tables of several schemas into one. */
function isAmong(sentinel: string, { tables, targetSchema }: RunbookInput): boolean {
  const tableOf = (name: string): string | undefined => parseTableName(name)?.table;
  return tables.some(
    (name) => name === sentinel || (targetSchema !== undefined && tableOf(name) === tableOf(sentinel)),
  );
}
