import type { FeedOptions } from './definition.js';
import { parseClientTimeout, parseSinkConfig } from './sink-options.js';
import { parseSinkUrl } from './sink-url.js';

/** Options of other sinks. */
const FOREIGN = [
  'avro_schema_prefix',
  'confluent_schema_registry',
  'headers_json_column_name',
  'kafka_sink_config',
  'pubsub_sink_config',
];

/**
 * What CREATE CHANGEFEED refuses about its sink, in CockroachDB's order and words; null when nothing. The sink is made to see,
 * and nothing is sent to it. Webhooks deliver here, and `null:` takes everything; the other sinks of CockroachDB are not known.
 */
export function sinkError(sinkUri: string, options: FeedOptions): string | null {
  try {
    checkSink(sinkUri, options);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

function checkSink(sinkUri: string, options: FeedOptions): void {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(sinkUri)?.[1]?.toLowerCase();
  if (scheme === undefined) throw new Error(`no scheme found for sink URL ${JSON.stringify(sinkUri)}`);
  if (scheme === 'null') return;
  if (scheme !== 'webhook-https' && scheme !== 'webhook-http') throw new Error(`unsupported sink: ${scheme}`);
  const foreign = FOREIGN.find((name) => Object.hasOwn(options, name));
  if (foreign !== undefined) throw new Error(`this sink is incompatible with option ${foreign}`);
  if (scheme === 'webhook-http') throw new Error('this sink requires https');
  for (const [option, only] of [
    ['format', 'json'],
    ['envelope', 'wrapped'],
  ] as const) {
    const value = options[option] ?? only;
    if (value !== only) throw new Error(`this sink is incompatible with ${option}=${value}`);
  }
  const timeout = options['webhook_client_timeout'];
  if (timeout) parseClientTimeout(timeout);
  parseSinkUrl(sinkUri);
  const config = options['webhook_sink_config'];
  if (config) parseSinkConfig(config);
}
