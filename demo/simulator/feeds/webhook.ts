import type { Tuning } from './faults.js';
import { createHttpClient, type HttpClient } from './http-client.js';
import type { StoredJob } from './job-store.js';
import { createSink, type Sink, type SinkOptions } from './sink.js';
import { DEFAULT_SINK_CONFIG, parseClientTimeout, parseSinkConfig } from './sink-options.js';
import { parseSinkUrl } from './sink-url.js';

const DEFAULT_TIMEOUT_MS = 3_000;

/** The sink `null://`. */
const NOWHERE: HttpClient = { post: () => Promise.resolve(), close: () => undefined };

/** Opens a job's sink. Nothing is asked of the endpoint until there is something to send. */
export function openWebhook(
  { definition, sinkUri }: StoredJob,
  tuning: Tuning,
  signal: AbortSignal,
  deliver?: SinkOptions['deliver'],
): Sink {
  const { options } = definition;
  const timeout = options['webhook_client_timeout'];
  const config = options['webhook_sink_config'];
  const authorization = options['webhook_auth_header'];
  const client = sinkUri.startsWith('null:')
    ? NOWHERE
    : createHttpClient({
        url: parseSinkUrl(sinkUri),
        timeoutMs: timeout ? parseClientTimeout(timeout) : DEFAULT_TIMEOUT_MS,
        gzip: options['compression'] === 'gzip',
        ...(authorization ? { authorization } : {}),
      });
  return createSink({
    client,
    config: config ? parseSinkConfig(config) : DEFAULT_SINK_CONFIG,
    workers: tuning.workers,
    backoffScale: tuning.backoffScale,
    signal,
    ...(deliver ? { deliver } : {}),
  });
}
