import type { Intake } from './runbook-input.js';

/** Options of CREATE CHANGEFEED by name, in the order in which they are written; null for one that takes no value. */
export type ChangefeedOptions = Readonly<Record<string, string | null>>;

/** What the input says about the changefeed. Durations are CockroachDB's own text, e.g. `250ms`. */
export interface ChangefeedTuning {
  readonly resolved: string;
  readonly minCheckpointFrequency: string;
  readonly flushBytes: number;
  readonly flushFrequency: string;
  readonly clientTimeout: string;
  /** Further options, and other values for the ones above. */
  readonly options: ChangefeedOptions;
}

/** An option that the stream cannot live with, and why. */
export interface RefusedOption {
  readonly option: string;
  readonly reason: string;
}

/** Options that the runbook sets itself, or that would break a promise of the stream. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  cursor: 'the runbook captures the cursor itself',
  initial_scan: 'a stream starts at its cursor, without a scan',
  no_initial_scan: 'a stream starts at its cursor, without a scan',
  initial_scan_only: 'a stream starts at its cursor, without a scan',
  end_time: 'a stream ends when the runbook ends it',
  on_error: 'it is always "pause": a failed changefeed loses its protection from garbage collection',
  updated: 'it is always on: rows are ordered by it',
  key_in_value: 'the webhook sink always sets it',
  topic_in_value: 'the webhook sink always sets it',
  webhook_auth_header: 'it is made from the token that the worker knows',
  split_column_families: 'a row must arrive whole',
  unordered: 'changes of one key must arrive in order',
  key_column: 'changes are told apart by the primary key',
  full_table_name: 'the runbook sets it when two tables have one name',
};

/** Values that an option may have; null: the option takes no value. */
type Check = (value: string | null) => string | null;

const DURATION = /^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/;

const duration: Check = (value) =>
  value !== null && DURATION.test(value) && /[1-9]/.test(value) ? null : 'expected a duration such as "250ms"';
const flag: Check = (value) => (value === null ? null : 'it takes no value: use null');
const text: Check = (value) => (value !== null && value !== '' ? null : 'expected a text');
const oneOf =
  (...allowed: readonly string[]): Check =>
  (value) =>
    value !== null && allowed.includes(value) ? null : `expected ${allowed.map((one) => `"${one}"`).join(' or ')}`;

const ALLOWED: Readonly<Record<string, Check>> = {
  resolved: duration,
  min_checkpoint_frequency: duration,
  webhook_sink_config: checkSinkConfig,
  webhook_client_timeout: duration,
  envelope: oneOf('wrapped'),
  format: oneOf('json'),
  virtual_columns: oneOf('omitted'),
  schema_change_policy: backfillOnly,
  compression: oneOf('gzip'),
  diff: flag,
  mvcc_timestamp: flag,
  protect_data_from_gc_on_pause: flag,
  gc_protect_expires_after: duration,
  metrics_label: text,
  execution_locality: text,
  lagging_ranges_threshold: duration,
  lagging_ranges_polling_interval: duration,
  range_distribution_strategy: oneOf('default', 'balanced_simple'),
};

/** Whether an option is about a webhook sink: a changefeed without a sink refuses it. */
export function isOfWebhook(option: string): boolean {
  return option.startsWith('webhook_') || option === 'compression';
}

/** Every override that must be refused, each with its reason. Pure; empty when all is well. */
export function refuseOptions(overrides: ChangefeedOptions, intake: Intake = 'webhook'): readonly RefusedOption[] {
  return Object.entries(overrides).flatMap(([option, value]): RefusedOption[] => {
    if (intake === 'pull' && isOfWebhook(option))
      return [{ option, reason: 'it is about a webhook, and with "intake": "pull" there is none' }];
    const forbidden = Object.hasOwn(FORBIDDEN, option) ? FORBIDDEN[option] : undefined;
    if (forbidden !== undefined) return [{ option, reason: forbidden }];
    const check = Object.hasOwn(ALLOWED, option) ? ALLOWED[option] : undefined;
    if (!check) return [{ option, reason: `it is not known: expected one of ${Object.keys(ALLOWED).join(', ')}` }];
    const reason = check(value);
    return reason === null ? [] : [{ option, reason: `${reason}, found ${JSON.stringify(value)}` }];
  });
}

/** An override in the input that the stream cannot live with. */
export class RefusedOptionsError extends Error {
  constructor(readonly refused: readonly RefusedOption[]) {
    super(
      `changefeed options refused: ${refused.map((one) => `${one.option}: ${one.reason}`).join('; ')}. Remove them from the input.`,
    );
    this.name = 'RefusedOptionsError';
  }
}

/**
 * The options that a stream's changefeed gets from its tuning, without cursor, initial scan, on_error and secrets.
 * @throws RefusedOptionsError
 */
export function mergeChangefeedOptions(tuning: ChangefeedTuning): ChangefeedOptions {
  const refused = refuseOptions(tuning.options);
  if (refused.length > 0) throw new RefusedOptionsError(refused);
  return {
    updated: null,
    resolved: tuning.resolved,
    min_checkpoint_frequency: tuning.minCheckpointFrequency,
    webhook_sink_config: JSON.stringify({ Flush: { Bytes: tuning.flushBytes, Frequency: tuning.flushFrequency } }),
    webhook_client_timeout: tuning.clientTimeout,
    ...tuning.options,
  };
}

/** `stop` ends the job at every change; under `nobackfill` the target misses values. */
function backfillOnly(value: string | null): string | null {
  if (value === 'backfill') return null;
  return 'expected "backfill" (under another policy, rows to which a new column gives its default are not sent again)';
}

/** CockroachDB refuses these too, but only when the changefeed is created: after forward replication has been stopped. */
function checkSinkConfig(value: string | null): string | null {
  const config = parseObject(value);
  if (!config) return 'expected a JSON object such as {"Flush":{"Bytes":1048576,"Frequency":"1s"}}';
  const flush = (config['Flush'] ?? {}) as Record<string, unknown>;
  const sizes = [flush['Messages'], flush['Bytes']].filter((size) => size !== undefined);
  if (sizes.some((size) => typeof size !== 'number' || !Number.isInteger(size) || size < 0))
    return 'Flush.Messages and Flush.Bytes must be whole numbers of 0 or more';
  if (sizes.length > 0 && duration(typeof flush['Frequency'] === 'string' ? flush['Frequency'] : null) !== null)
    return 'Flush.Messages and Flush.Bytes need a Flush.Frequency such as "1s", or messages may never be sent';
  const max = ((config['Retry'] ?? {}) as Record<string, unknown>)['Max'];
  if (max !== undefined && max !== 'inf' && !(typeof max === 'number' && Number.isInteger(max) && max > 0))
    return 'Retry.Max must be a whole number above 0, or "inf"';
  return null;
}

function parseObject(value: string | null): Record<string, unknown> | null {
  if (value === null) return null;
  try {
    const parsed: unknown = JSON.parse(value);
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as Record<string, unknown>)
      : null;
  } catch {
    return null;
  }
}
