import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { createCertificateAuthority } from '../support/certificates.js';

export interface SeenRequest {
  readonly at: number;
  /** Counts connections from 1. */
  readonly connection: number;
  readonly line: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

export interface SeenRow {
  readonly after: Record<string, unknown> | null;
  readonly before?: Record<string, unknown> | null;
  readonly key: readonly unknown[];
  readonly topic: string;
  readonly updated: string;
  readonly mvcc_timestamp?: string;
}

export interface SeenBody {
  readonly payload?: readonly SeenRow[];
  readonly length?: number;
  readonly resolved?: string;
}

type Answer = (request: SeenRequest, response: ServerResponse, raw: IncomingMessage) => void | Promise<void>;

/** A real HTTPS endpoint that writes down what it gets. */
export interface SinkServer {
  readonly port: number;
  /** The query parameters of a sink URL that trusts this endpoint and shows a client's certificate of its authority. */
  readonly caCert: string;
  readonly clientCertificate: string;
  readonly requests: SeenRequest[];
  /** How to answer from now on; 200 by default. */
  answer: Answer;
  /** `webhook-https://127.0.0.1:port/db/schema?ca_cert=...` */
  url(path?: string, query?: string): string;
  bodies(): SeenBody[];
  rows(): SeenRow[];
  resolved(): string[];
  stop(): Promise<void>;
}

/** With `mutual` only clients with a certificate of its authority are let in. */
export async function startSinkServer({ mutual = false } = {}): Promise<SinkServer> {
  const authority = await createCertificateAuthority('authority of a test');
  const own = await authority.issueServer();
  const client = await authority.issueClient('a changefeed');
  const server = createServer({ ...own, ca: authority.cert, requestCert: mutual, rejectUnauthorized: mutual });
  const parameter = (name: string, pem: string): string =>
    `${name}=${encodeURIComponent(Buffer.from(pem).toString('base64'))}`;
  let connections = 0;
  const numbers = new WeakMap<object, number>();
  server.on('secureConnection', (socket: TLSSocket) => numbers.set(socket, ++connections));
  const requests: SeenRequest[] = [];
  const sink: SinkServer = {
    port: 0,
    caCert: parameter('ca_cert', authority.cert),
    clientCertificate: `${parameter('client_cert', client.cert)}&${parameter('client_key', client.key)}`,
    requests,
    answer: (_, response) => void response.end(),
    url: (path = '/db/schema', query = sink.caCert) => `webhook-https://127.0.0.1:${sink.port}${path}?${query}`,
    bodies: () =>
      requests.filter((request) => request.body !== '').map((request) => JSON.parse(request.body) as SeenBody),
    rows: () => sink.bodies().flatMap((body) => body.payload ?? []),
    resolved: () => sink.bodies().flatMap((body) => body.resolved ?? []),
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };

  async function take(raw: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of raw as AsyncIterable<Buffer>) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    const headers = raw.rawHeaders.flatMap((name, index) =>
      index % 2 === 0 ? [[name, raw.rawHeaders[index + 1] ?? ''] as const] : [],
    );
    const request: SeenRequest = {
      at: performance.now(),
      connection: numbers.get(raw.socket) ?? 0,
      line: `${raw.method ?? ''} ${raw.url ?? ''} HTTP/${raw.httpVersion}`,
      headers,
      body: (raw.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString(),
    };
    requests.push(request);
    await sink.answer(request, response, raw);
  }

  server.on('request', (raw, response) => void take(raw, response).catch(() => raw.destroy()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(sink, { port: (server.address() as AddressInfo).port });
}
