import { hostname } from 'node:os';
import { z } from 'zod';
import { parseBytes } from '../domain/byte-size.js';
import { parseDuration } from '../domain/duration.js';

/** What belongs to a host, from its environment. The only reader of `process.env`. */
export interface WorkerConfig {
  readonly temporal: {
    readonly address: string;
    readonly namespace: string;
    readonly taskQueue: string;
    readonly apiKey: string | null;
    /** Paths; null: no TLS, unless an API key asks for it. */
    readonly tls: {
      readonly caFile: string | null;
      readonly certFile: string | null;
      readonly keyFile: string | null;
    } | null;
  };
  /** Name of this host and of its task queue. A stage belongs to a host: keep it stable across restarts. */
  readonly host: string;
  readonly stageDir: string;
  /** For each stage, in bytes. */
  readonly stageBudget: number;
  readonly receiver: {
    readonly bindAddr: string;
    /** As CockroachDB reaches it, `https://host:port`. */
    readonly advertisedUrl: string;
    readonly tlsCertificateFile: string;
    readonly tlsPrivateKeyFile: string;
    /** Clients must show a certificate of this CA; null: a token is needed instead. */
    readonly clientCaFile: string | null;
    readonly token: string | null;
    readonly maxBodyBytes: number;
  };
  /** What CockroachDB is given in the sink URL. */
  readonly sink: {
    readonly caFile: string | null;
    readonly clientCertificateFile: string | null;
    readonly clientKeyFile: string | null;
  };
  readonly metricsAddr: string | null;
  readonly secretsDir: string | null;
  readonly shutdownMs: number;
  /** Connection strings by name, from `FAILBACK_CONNECTION_<NAME>`. Secret. */
  readonly connections: ReadonlyMap<string, string>;
  /** Commands that stop a forward replicator, by connection name, from `FAILBACK_STOP_<NAME>`. */
  readonly stopCommands: ReadonlyMap<string, string>;
}

/** The environment is not usable; each line names a variable, never a secret value. */
export class InvalidConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`the worker cannot start: ${problems.join('; ')}`);
    this.name = 'InvalidConfigError';
  }
}

const text = z.string('is not set').min(1, 'is empty');
const optional = z.string().min(1).optional();
const duration = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((value, context) => {
      const ms = parseDuration(value);
      if (ms === null) context.addIssue({ code: 'custom', message: 'must be a duration such as "20s"' });
      return ms ?? 0;
    });

const LEAST_BUDGET = 1_048_576;
const bytes = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((value, context) => {
      const size = parseBytes(value);
      if (size === null || size < LEAST_BUDGET)
        context.addIssue({
          code: 'custom',
          message: 'must be at least 1MiB: bytes, or a size such as "512MiB" or "10GiB"',
        });
      return size ?? 0;
    });

const environment = z.object({
  TEMPORAL_ADDRESS: z.string().default('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().default('default'),
  TEMPORAL_API_KEY: optional,
  TEMPORAL_TLS_CA: optional,
  TEMPORAL_TLS_CERT: optional,
  TEMPORAL_TLS_KEY: optional,
  FAILBACK_TASK_QUEUE: z.string().default('failback'),
  FAILBACK_HOST: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be letters, digits, ".", "_" and "-"')
    .default(hostname()),
  FAILBACK_STAGE_DIR: text,
  FAILBACK_STAGE_BUDGET: bytes('10GiB'),
  FAILBACK_BIND_ADDR: z
    .string()
    .regex(/^(.*):(\d{1,5})$/, 'must be host:port or :port')
    .default(':30004'),
  FAILBACK_RECEIVER_URL: z
    .string('is not set: the URL by which CockroachDB reaches this worker')
    .regex(/^https:\/\/[^/?#@]+$/, 'must be https://host:port without path, query or user'),
  FAILBACK_TLS_CERTIFICATE: text,
  FAILBACK_TLS_PRIVATE_KEY: text,
  FAILBACK_CLIENT_CA: optional,
  FAILBACK_RECEIVER_TOKEN: optional,
  FAILBACK_MAX_BODY_BYTES: z.coerce
    .number('must be a number of bytes')
    .int()
    .min(1_048_576, 'must be at least 1048576')
    .default(268_435_456),
  FAILBACK_SINK_CA: optional,
  FAILBACK_SINK_CLIENT_CERTIFICATE: optional,
  FAILBACK_SINK_CLIENT_KEY: optional,
  FAILBACK_METRICS_ADDR: z
    .string()
    .regex(/^(.*):(\d{1,5})$/, 'must be host:port or :port')
    .optional(),
  FAILBACK_SECRETS_DIR: optional,
  FAILBACK_SHUTDOWN_TIMEOUT: duration('20s'),
});

/**
 * Reads and checks the environment.
 * @throws InvalidConfigError with every problem at once
 */
export function readWorkerConfig(env: Readonly<Record<string, string | undefined>> = process.env): WorkerConfig {
  const parsed = environment.safeParse(env);
  const problems = parsed.success ? [] : parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message}`);
  if (parsed.success) problems.push(...contradictions(parsed.data));
  if (!parsed.success || problems.length > 0) throw new InvalidConfigError(problems);
  const { data } = parsed;
  const tls = data.TEMPORAL_TLS_CA ?? data.TEMPORAL_TLS_CERT ?? data.TEMPORAL_TLS_KEY;
  return {
    temporal: {
      address: data.TEMPORAL_ADDRESS,
      namespace: data.TEMPORAL_NAMESPACE,
      taskQueue: data.FAILBACK_TASK_QUEUE,
      apiKey: data.TEMPORAL_API_KEY ?? null,
      tls:
        tls === undefined
          ? null
          : {
              caFile: data.TEMPORAL_TLS_CA ?? null,
              certFile: data.TEMPORAL_TLS_CERT ?? null,
              keyFile: data.TEMPORAL_TLS_KEY ?? null,
            },
    },
    host: data.FAILBACK_HOST,
    stageDir: data.FAILBACK_STAGE_DIR,
    stageBudget: data.FAILBACK_STAGE_BUDGET,
    receiver: {
      bindAddr: data.FAILBACK_BIND_ADDR,
      advertisedUrl: data.FAILBACK_RECEIVER_URL,
      tlsCertificateFile: data.FAILBACK_TLS_CERTIFICATE,
      tlsPrivateKeyFile: data.FAILBACK_TLS_PRIVATE_KEY,
      clientCaFile: data.FAILBACK_CLIENT_CA ?? null,
      token: data.FAILBACK_RECEIVER_TOKEN ?? null,
      maxBodyBytes: data.FAILBACK_MAX_BODY_BYTES,
    },
    sink: {
      caFile: data.FAILBACK_SINK_CA ?? null,
      clientCertificateFile: data.FAILBACK_SINK_CLIENT_CERTIFICATE ?? null,
      clientKeyFile: data.FAILBACK_SINK_CLIENT_KEY ?? null,
    },
    metricsAddr: data.FAILBACK_METRICS_ADDR ?? null,
    secretsDir: data.FAILBACK_SECRETS_DIR ?? null,
    shutdownMs: data.FAILBACK_SHUTDOWN_TIMEOUT,
    connections: named(env, 'FAILBACK_CONNECTION_'),
    stopCommands: named(env, 'FAILBACK_STOP_'),
  };
}

function contradictions(data: z.output<typeof environment>): string[] {
  const problems: string[] = [];
  if (data.FAILBACK_HOST === data.FAILBACK_TASK_QUEUE) {
    problems.push(
      `FAILBACK_HOST and FAILBACK_TASK_QUEUE must differ: both are ${data.FAILBACK_HOST}, and each is a queue of its own`,
    );
  }
  if (data.FAILBACK_CLIENT_CA === undefined && data.FAILBACK_RECEIVER_TOKEN === undefined) {
    problems.push(
      'FAILBACK_CLIENT_CA or FAILBACK_RECEIVER_TOKEN must be set: without either, anybody could write to the target through the receiver',
    );
  }
  if (
    data.FAILBACK_CLIENT_CA !== undefined &&
    (data.FAILBACK_SINK_CLIENT_CERTIFICATE === undefined || data.FAILBACK_SINK_CLIENT_KEY === undefined)
  ) {
    problems.push(
      'FAILBACK_SINK_CLIENT_CERTIFICATE and FAILBACK_SINK_CLIENT_KEY must be set with FAILBACK_CLIENT_CA: CockroachDB needs them to be let in',
    );
  }
  return problems;
}

/** `FAILBACK_CONNECTION_ORDERS_PG` is the connection `orders-pg`. */
function named(env: Readonly<Record<string, string | undefined>>, prefix: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(env)) {
    if (key.startsWith(prefix) && value) found.set(key.slice(prefix.length).toLowerCase().replaceAll('_', '-'), value);
  }
  return found;
}
