import { readFile } from 'node:fs/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SinkSecrets } from '../activities/changefeed.js';
import { UnknownConnectionError } from '../domain/connection-errors.js';
import type { WorkerConfig } from './config.js';

/** Resolves the names of an input into connection strings: from the environment, else from a file of that name in the secrets folder. */
export function createConnections(config: Pick<WorkerConfig, 'connections' | 'secretsDir'>): (name: string) => string {
  return (name) => {
    const fromEnvironment = config.connections.get(name);
    if (fromEnvironment !== undefined) return fromEnvironment;
    const files = config.secretsDir === null ? [] : readdirSync(config.secretsDir);
    // Listed, never built from the name: an input must not find a way to other files.
    if (config.secretsDir !== null && files.includes(name))
      return readFileSync(join(config.secretsDir, name), 'utf8').trim();
    throw new UnknownConnectionError(name, [...config.connections.keys(), ...files]);
  };
}

/** What CockroachDB is given, read from its files each time: a renewed certificate counts from then on. */
export function createSinkSecrets({ sink, receiver }: Pick<WorkerConfig, 'sink' | 'receiver'>): SinkSecrets {
  const pem = async (file: string | null): Promise<string | undefined> =>
    file === null ? undefined : readFile(file, 'utf8');
  return {
    async read() {
      const [caCert, clientCert, clientKey] = await Promise.all([
        pem(sink.caFile),
        pem(sink.clientCertificateFile),
        pem(sink.clientKeyFile),
      ]);
      return {
        tls: {
          ...(caCert === undefined ? {} : { caCert }),
          ...(clientCert === undefined ? {} : { clientCert }),
          ...(clientKey === undefined ? {} : { clientKey }),
        },
        token: receiver?.token ?? null,
      };
    },
  };
}
