import { accessSync, constants, mkdirSync } from 'node:fs';
import type { Connection } from '@temporalio/client';
import type { ActivityDeps } from '../activities/index.js';
import type { Access } from '../activities/access.js';
import { connectCockroach } from '../cockroach/client.js';
import type { AttemptProgress } from '../domain/attempt.js';
import { action, createFinding, type Finding } from '../domain/finding.js';
import { receiverAddress } from '../domain/receiver-address.js';
import type { WorkerFigures } from '../metrics/exposition.js';
import { startReceiver, type Receiver } from '../receiver/server.js';
import { openLmdbStage } from '../staging/lmdb/open-stage.js';
import { budgetOf } from '../staging/room.js';
import { createSqlStaging } from '../staging/sql/staging.js';
import { createTargetDriver } from '../targets/registry.js';
import type { Stage } from '../staging/stage.js';
import { createAbandonedStages, rememberPlace, type AbandonedStages } from './abandoned-stages.js';
import { createComparison } from './compare.js';
import { InvalidConfigError, type WorkerConfig } from './config.js';
import { createForward } from './forward.js';
import { ensureSearchAttributes } from './search-attributes.js';
import { readPem } from './pem-file.js';
import { createConnections, createSinkSecrets } from './secrets.js';
import { requireSinkCertificates } from './sink-certificates.js';

/** Everything that a worker's activities work with. */
export interface Dependencies {
  /** Drops abandoned stages, now and then; returns its end. */
  readonly watchStages: () => () => void;
  readonly activities: ActivityDeps;
  /** Null: the environment names none. */
  readonly receiver: Receiver | null;
  /** For `/_/varz`. */
  readonly figures: () => WorkerFigures;
}

/** A certificate that ends within so many days is a warning of preflight. */
const CERTIFICATE_WARNING_DAYS = 14;
const DAY_MS = 86_400_000;
const LOG_AGAIN_MS = 60_000;
const STAGES_EVERY_MS = 600_000;

/**
 * Composes the worker: starts its receiver and binds the adapters together.
 * @throws InvalidConfigError, ReceiverStartError
 */
export async function createDependencies(
  config: WorkerConfig,
  connection: Connection,
  log: (message: string) => void,
): Promise<Dependencies> {
  const connect = createConnections(config);
  requireSinkCertificates(config);
  requireStageDir(config.stageDir);
  const receiver = config.receiver && (await openReceiver(config.receiver, log));
  const access: Access = {
    openSource: async (place) =>
      connectCockroach({
        connectionString: connect(place.source),
        applicationName: `failback ${place.run}`,
        statementTimeoutMs: place.statementTimeoutMs,
      }),
    target: (place) => createTargetDriver(connect(place.target), place),
    staging: (staging, run) => createSqlStaging(connect(staging.connection), staging, run),
  };
  const openStage = (stream: string): Stage => openLmdbStage({ stageDir: config.stageDir, stream });
  const abandoned = createAbandonedStages({ stageDir: config.stageDir, access, open: openStage, log });
  const attempts = new Map<string, AttemptProgress>();
  let orphaned = 0;
  return {
    receiver,
    watchStages: () => watchStages(abandoned, log),
    figures: () => ({ attempts: [...attempts.values()], orphaned }),
    activities: {
      ...access,
      compare: createComparison(access),
      forward: createForward(connect, config.stopCommands),
      requireForward: (forward) => void connect(forward),
      secrets: createSinkSecrets(config),
      searchAttributes: () => ensureSearchAttributes(connection, config.temporal.namespace),
      receiver: () =>
        Promise.resolve(
          receiver && {
            advertisedUrl: receiver.advertisedUrl,
            findings: checkCertificate(receiver, receiver.advertisedUrl),
          },
        ),
      host: {
        host: config.host,
        receiver,
        budget: budgetOf(config.stageBudget),
        openStage: (stream, place, staging) => {
          if (staging !== undefined) return access.staging(staging, stream).open(stream);
          const stage = openStage(stream);
          rememberPlace(config.stageDir, stream, stage, place);
          return stage;
        },
        onFigures: (figures, stream) => {
          if (figures === null) attempts.delete(stream);
          else attempts.set(stream, figures);
        },
        onOrphaned: () => void (orphaned += 1),
      },
    },
  };
}

function watchStages(abandoned: AbandonedStages, log: (message: string) => void): () => void {
  const look = (): void => {
    abandoned.look().catch((error: unknown) => log(`looking for abandoned stages: ${String(error)}`));
  };
  look();
  const timer = setInterval(look, STAGES_EVERY_MS);
  return () => clearInterval(timer);
}

async function openReceiver(
  config: NonNullable<WorkerConfig['receiver']>,
  log: (message: string) => void,
): Promise<Receiver & { readonly advertisedUrl: string }> {
  const receiver = await startReceiver({
    bindAddr: config.bindAddr,
    tls: {
      cert: readPem('FAILBACK_TLS_CERTIFICATE', config.tlsCertificateFile),
      key: readPem('FAILBACK_TLS_PRIVATE_KEY', config.tlsPrivateKeyFile),
      ...(config.clientCaFile === null ? {} : { clientCa: readPem('FAILBACK_CLIENT_CA', config.clientCaFile) }),
    },
    ...(config.token === null ? {} : { bearerToken: config.token }),
    maxBodyBytes: config.maxBodyBytes,
    onRefused: onceAMinute(
      ({ stream, status }) => `receiver: answered ${status}${stream === null ? '' : ` to stream ${stream}`}`,
      log,
    ),
  });
  return { ...receiver, advertisedUrl: config.advertisedUrl };
}

/** @throws InvalidConfigError: better now than with the first stream */
function requireStageDir(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
  } catch (error) {
    throw new InvalidConfigError([
      `FAILBACK_STAGE_DIR names ${folder}, where nothing can be written (${error instanceof Error ? error.message : String(error)})`,
    ]);
  }
}

/** A changefeed comes again several times a second while nothing serves it: the same line is of use once. */
function onceAMinute<T>(line: (value: T) => string, log: (message: string) => void): (value: T) => void {
  const said = new Map<string, number>();
  return (value) => {
    const text = line(value);
    if (performance.now() - (said.get(text) ?? -Infinity) < LOG_AGAIN_MS) return;
    said.set(text, performance.now());
    log(text);
  };
}

function checkCertificate({ certificate }: Receiver, advertisedUrl: string): Finding[] {
  const { host } = receiverAddress(advertisedUrl);
  const findings: Finding[] = [];
  const daysLeft = (certificate.notAfter.getTime() - Date.now()) / DAY_MS;
  const object = 'the receiver certificate';
  if (daysLeft <= CERTIFICATE_WARNING_DAYS) {
    findings.push(
      createFinding(daysLeft <= 0 ? 'blocking' : 'warning', 'receiver.certificate.expiry', {
        object,
        problem: daysLeft <= 0 ? 'it has expired' : 'it expires soon',
        found: certificate.notAfter.toISOString(),
        remedy: action('Renew it (FAILBACK_TLS_CERTIFICATE) and restart the worker.'),
      }),
    );
  }
  if (!certificate.coversHost(host)) {
    findings.push(
      createFinding('blocking', 'receiver.certificate.names', {
        object,
        problem: `it is not for ${host}, the host of FAILBACK_RECEIVER_URL`,
        found: certificate.subjectAltNames.join(', ') || 'no names',
        remedy: action(`Use a certificate with ${host} among its subject alternative names.`),
      }),
    );
  }
  return findings;
}
