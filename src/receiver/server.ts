import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { answerTo } from './answers.js';
import { createAuth } from './auth.js';
import { ReceiverStartError, Refusal } from './receiver-error.js';
import { readBody } from './request-body.js';
import { parseTarget, requireSchema } from './routes.js';
import { certificateFacts, requireUsable, type CertificateFacts, type ReceiverTls } from './tls.js';

const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
/** Longer than Go's idle time for connections (90 s): the client should be the one who ends an idle one, else a body may cross our end. */
const KEEP_ALIVE_MS = 120_000;

export interface ReceiverOptions {
  /** `host:port`, `:port` for all addresses, port 0 for a free one. */
  readonly bindAddr: string;
  readonly tls: ReceiverTls;
  /** When given, requests carry `Authorization: Bearer <token>`. */
  readonly bearerToken?: string;
  /** Of a body, packed and unpacked; default 64 MiB. */
  readonly maxBodyBytes?: number;
  /** What was answered other than 200, or why an answer could not be given. Never holds row values or secrets. */
  readonly onRefused?: (refused: {
    readonly stream: string | null;
    readonly status: number;
    readonly error: unknown;
  }) => void;
}

/** A stream as the receiver knows it. */
export interface RegisteredStream {
  readonly stream: string;
  /** Segments that the path of the sink URL must name: database and schema of the target. */
  readonly path: readonly string[];
  /** The attempt's token: told to a probe, so that the runbook knows that its own attempt is reached. */
  readonly token: string;
  readonly receive: (incarnation: number, body: Buffer) => Promise<void>;
}

export interface Receiver {
  readonly port: number;
  readonly certificate: CertificateFacts;
  /**
   * Lets requests of the stream in. A second registration of a stream replaces the first (a new attempt in the same process).
   * Returns its end, which leaves a later registration alone.
   */
  register(stream: RegisteredStream): () => void;
  /** Answers 503 to new bodies, finishes those under way for at most `graceMs`, then ends all connections. */
  close(graceMs: number): Promise<void>;
}

/**
 * Starts the worker's one receiver: HTTPS for the changefeeds of any number of streams.
 * POST takes a body; GET on the very sink URL proves that it leads here: 200 `listening <token>`.
 * @throws ReceiverStartError with one line: busy port, wrong address, wrong certificate
 */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { tls, bindAddr, maxBodyBytes = 64 * 1024 * 1024, bearerToken, onRefused } = options;
  const streams = new Map<string, RegisteredStream>();
  const authenticate = createAuth({
    clientCertificates: tls.clientCa !== undefined,
    ...(bearerToken === undefined ? {} : { bearerToken }),
  });
  requireUsable(tls);
  const certificate = certificateFacts(tls.cert);
  const underWay = new Set<Promise<void>>();
  let closing = false;

  const server = createServer(
    {
      cert: tls.cert,
      key: tls.key,
      ...(tls.clientCa === undefined ? {} : { ca: tls.clientCa, requestCert: true, rejectUnauthorized: false }),
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['http/1.1'],
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      connectionsCheckingInterval: 5_000,
    },
    (request, response) => {
      const handled = handle(request, response)
        .then(() => sent(response))
        .finally(() => underWay.delete(handled));
      underWay.add(handled);
    },
  );

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let stream: string | null = null;
    try {
      if (closing) throw new Refusal(503, 'shutting down', true);
      authenticate(request);
      const target = parseTarget(request.url ?? '/');
      const registered = streams.get(target.stream);
      if (!registered)
        throw new Refusal(404, `unknown stream: ${target.stream.slice(0, 60)} has no receiver on this worker now`);
      stream = registered.stream;
      requireSchema(target.segments, registered.path);
      if (request.method === 'GET') return answer(response, 200, `listening ${registered.token}`);
      if (request.method !== 'POST') throw new Refusal(405, 'only POST takes rows');
      const body = await readBody(request, maxBodyBytes);
      await registered.receive(target.incarnation, body);
      // Only now: everything in the body is on disk (invariant 1).
      answer(response, 200, 'OK');
    } catch (error) {
      const { status, text, endsConnection } = answerTo(error);
      onRefused?.({ stream, status, error });
      if (request.destroyed && !request.complete) return void response.destroy();
      if (endsConnection || !request.complete) response.setHeader('Connection', 'close');
      answer(response, status, text);
    }
  }

  function answer(response: ServerResponse, status: number, text: string): void {
    if (closing) response.setHeader('Connection', 'close');
    response
      .writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', 'Content-Length': Buffer.byteLength(text) })
      .end(text);
  }

  await listen(server, bindAddr);
  return {
    port: (server.address() as AddressInfo).port,
    certificate,
    register(stream) {
      streams.set(stream.stream, stream);
      return () => {
        if (streams.get(stream.stream) === stream) streams.delete(stream.stream);
      };
    },
    async close(graceMs) {
      closing = true;
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      await Promise.race([Promise.allSettled(underWay), afterMs(graceMs)]);
      server.closeIdleConnections();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Resolves when the answer is with the system, or the connection is gone. */
async function sent(response: ServerResponse): Promise<void> {
  if (!response.writableFinished && !response.destroyed)
    await Promise.race([once(response, 'finish'), once(response, 'close')]);
}

async function listen(server: Server, bindAddr: string): Promise<void> {
  const match = /^(.*):(\d{1,5})$/.exec(bindAddr);
  if (!match) throw new ReceiverStartError(`bindAddr "${bindAddr}" is not host:port`);
  const host = match[1]?.replace(/^\[|\]$/g, '');
  try {
    server.listen({ port: Number(match[2]), ...(host ? { host } : {}) });
    await once(server, 'listening');
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const reason =
      code === 'EADDRINUSE'
        ? 'the port is in use: stop what listens there (ss -ltnp), or choose another'
        : `${code ?? ''} ${message}`;
    throw new ReceiverStartError(`cannot listen on ${bindAddr}: ${reason}`, { cause });
  }
}

function afterMs(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}
