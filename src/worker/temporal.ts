import { setTimeout as delay } from 'node:timers/promises';
import { Connection, type ConnectionOptions } from '@temporalio/client';
import { InvalidConfigError, type WorkerConfig } from './config.js';
import { readPem } from './pem-file.js';

/** What both connections of a worker take, the client's and the worker's own. */
export interface TemporalOptions {
  readonly address: string;
  readonly apiKey?: string;
  readonly tls?: NonNullable<ConnectionOptions['tls']>;
}

const AGAIN_AFTER_MS = 2_000;
/** gRPC's status. */
const NOT_FOUND = 5;

/** How to reach Temporal, from the configuration. */
export function temporalOptions({ temporal }: Pick<WorkerConfig, 'temporal'>): TemporalOptions {
  const { tls, apiKey, address } = temporal;
  const read = (variable: string, file: string | null = null): Buffer | undefined =>
    file === null ? undefined : Buffer.from(readPem(variable, file));
  const ca = read('TEMPORAL_TLS_CA', tls?.caFile);
  const crt = read('TEMPORAL_TLS_CERT', tls?.certFile);
  const key = read('TEMPORAL_TLS_KEY', tls?.keyFile);
  return {
    address,
    ...(apiKey === null ? {} : { apiKey }),
    ...(tls === null
      ? apiKey === null
        ? {}
        : { tls: true }
      : {
          tls: {
            ...(ca ? { serverRootCACertificate: ca } : {}),
            ...(crt && key ? { clientCertPair: { crt, key } } : {}),
          },
        }),
  };
}

/** Waits for a Temporal that is not there yet, with one line. Null: stopped while waiting. */
export async function awaitTemporal(
  config: WorkerConfig,
  signal: AbortSignal,
  say: (message: string) => void,
): Promise<TemporalOptions | null> {
  const options = temporalOptions(config);
  for (let told = false; !signal.aborted;) {
    // Lazy, so that one that fails can be closed too: it would go on knocking, and keep the process alive.
    const connection = Connection.lazy({ ...options, connectTimeout: '5s' });
    try {
      await connection.ensureConnected();
      if (told) say(`Temporal answers at ${config.temporal.address}`);
      return options;
    } catch {
      if (!told) say(`Temporal does not answer at ${config.temporal.address} yet: waiting for it (TEMPORAL_ADDRESS)`);
      told = true;
      await delay(AGAIN_AFTER_MS, undefined, { signal }).catch(() => undefined);
    } finally {
      await connection.close();
    }
  }
  return null;
}

/** @throws InvalidConfigError when Temporal does not know the namespace; other troubles are the worker's own to tell. */
export async function requireNamespace(
  connection: Connection,
  { temporal }: Pick<WorkerConfig, 'temporal'>,
): Promise<void> {
  const { namespace, address } = temporal;
  try {
    await connection.workflowService.describeNamespace({ namespace });
  } catch (error) {
    if ((error as { code?: unknown }).code !== NOT_FOUND) return;
    throw new InvalidConfigError([
      `TEMPORAL_NAMESPACE names ${namespace}, which Temporal at ${address} does not know: correct it, or create it (temporal operator namespace create)`,
    ]);
  }
}
