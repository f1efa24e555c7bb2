import { parseGoDuration } from './go-duration.js';
import { parseGoJson } from './go-json.js';

/** `webhook_sink_config`, read. A zero means "not set": without any of the three every row is sent alone and at once. */
export interface SinkConfig {
  readonly flushMessages: number;
  readonly flushBytes: number;
  readonly flushFrequencyMs: number;
  /** Retries after the first attempt; Infinity for `"inf"`. */
  readonly retryMax: number;
  readonly retryBackoffMs: number;
}

export const DEFAULT_SINK_CONFIG: SinkConfig = {
  flushMessages: 0,
  flushBytes: 0,
  flushFrequencyMs: 0,
  retryMax: 3,
  retryBackoffMs: 500,
};

const OPTION = 'webhook_sink_config';

/** Reads the option's JSON. @throws Error with CockroachDB's words. */
export function parseSinkConfig(text: string): SinkConfig {
  const config = prefixed(`error processing option ${OPTION}: `, () => {
    const raw = prefixed('error unmarshalling json: ', () => asObject(parseGoJson(text)));
    const flush = prefixed('error unmarshalling json: ', () => asObject(field(raw, 'Flush') ?? {}));
    const retry = prefixed('error unmarshalling json: ', () => asObject(field(raw, 'Retry') ?? {}));
    return prefixed('error unmarshalling json: ', () => ({
      flushMessages: number(field(flush, 'Messages')),
      flushBytes: number(field(flush, 'Bytes')),
      flushFrequencyMs: duration(field(flush, 'Frequency'), DEFAULT_SINK_CONFIG.flushFrequencyMs),
      retryMax: retries(field(retry, 'Max')),
      retryBackoffMs: duration(field(retry, 'Backoff'), DEFAULT_SINK_CONFIG.retryBackoffMs),
    }));
  });
  const invalid = `error processing option ${OPTION}: invalid option value ${OPTION}, `;
  if (
    [config.flushMessages, config.flushBytes, config.flushFrequencyMs, config.retryBackoffMs].some((value) => value < 0)
  ) {
    throw new Error(`${invalid}all config values must be non-negative`);
  }
  if ((config.flushMessages > 0 || config.flushBytes > 0) && config.flushFrequencyMs === 0) {
    throw new Error(`${invalid}flush frequency is not set, messages may never be sent`);
  }
  return config;
}

/** Reads `webhook_client_timeout`, in milliseconds. @throws Error with CockroachDB's words. */
export function parseClientTimeout(text: string): number {
  const timeoutMs = prefixed('problem parsing option webhook_client_timeout: ', () => parseGoDuration(text));
  if (timeoutMs < 0) throw new Error(`negative durations are not accepted: webhook_client_timeout='${text}'`);
  if (timeoutMs === 0) throw new Error('option webhook_client_timeout must be a positive duration');
  return timeoutMs;
}

function prefixed<T>(prefix: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new Error(prefix + (cause as Error).message, { cause });
  }
}

function asObject(value: unknown): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new Error('json: cannot unmarshal into Go value of type changefeedccl.batchConfig');
}

/** Go takes a field by its name in any case. */
function field(object: Record<string, unknown>, name: string): unknown {
  const same = (key: string) => key.toLowerCase() === name.toLowerCase();
  return object[Object.keys(object).findLast(same) ?? name];
}

function number(value: unknown): number {
  if (value === undefined) return 0;
  if (typeof value === 'number' && Number.isInteger(value)) return value;
  const found = typeof value === 'number' ? `number ${value}` : typeof value;
  throw new Error(`json: cannot unmarshal ${found} into Go value of type int`);
}

function duration(value: unknown, unset: number): number {
  if (value === undefined) return unset;
  if (typeof value === 'string') return parseGoDuration(value);
  throw new Error(`json: cannot unmarshal ${typeof value} into Go value of type string`);
}

function retries(value: unknown): number {
  if (value === undefined) return DEFAULT_SINK_CONFIG.retryMax;
  if (value === 'inf') return Infinity;
  if (typeof value === 'number') {
    if (value > 0 && Number.isInteger(value)) return value;
    throw new Error("max retry count must be a positive integer. use 'inf' for infinite retries.");
  }
  throw new Error("max retries must be either a positive int or 'inf' for infinite retries.");
}
