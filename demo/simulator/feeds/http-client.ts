import { once } from 'node:events';
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { createSecureContext, rootCertificates } from 'node:tls';
import { gzipSync } from 'node:zlib';
import { ClientTimeout, goErrorText } from './http-error.js';
import type { SinkUrl } from './sink-url.js';

export interface HttpClientOptions {
  readonly url: SinkUrl;
  readonly timeoutMs: number;
  readonly authorization?: string;
  readonly gzip: boolean;
}

/** Posts bodies as Go's HTTP client does, redirects included. */
export interface HttpClient {
  /** Resolves when the status line says 2xx. @throws Error with CockroachDB's words for anything else. */
  post(body: string, signal: AbortSignal): Promise<void>;
  close(): void;
}

/** How long a good answer's body is waited for, so that its connection is used again. */
const BODY_PATIENCE_MS = 20;
const MOST_REQUESTS = 10;
/** More than this of an error's body is not read into the job's error. */
const LONGEST_ERROR_BODY = 64 * 1024;

export function createHttpClient({ url, timeoutMs, authorization, gzip }: HttpClientOptions): HttpClient {
  const agent = new Agent({
    keepAlive: true,
    noDelay: true,
    rejectUnauthorized: !url.insecureSkipVerify,
    secureContext: createSecureContext({
      ...(url.caCert ? { ca: [...rootCertificates, url.caCert] } : {}),
      ...(url.clientCert ? { cert: url.clientCert } : {}),
      ...(url.clientKey ? { key: url.clientKey } : {}),
    }),
  });

  async function send(
    method: string,
    target: string,
    body: Buffer | null,
    referer: string | null,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const sameHost = new URL(target).host === new URL(url.requestUrl).host;
    const secure = target.startsWith('https:');
    const request = (secure ? httpsRequest : httpRequest)(target, {
      method,
      // A redirect may leave TLS, and Go's client goes along.
      ...(secure ? { agent } : {}),
      signal,
      // The names and their order are those of Go's client.
      headers: {
        Host: new URL(target).host,
        'User-Agent': 'Go-http-client/1.1',
        ...(body ? { 'Content-Length': body.length } : {}),
        ...(authorization !== undefined && sameHost ? { Authorization: authorization } : {}),
        ...(gzip && body ? { 'Content-Encoding': 'gzip' } : {}),
        'Content-Type': 'application/json',
        ...(referer ? { Referer: referer } : {}),
        'Accept-Encoding': 'gzip',
      },
    });
    request.removeHeader('Connection');
    const heard = listen(request);
    const timer = setTimeout(() => request.destroy(new ClientTimeout()), timeoutMs);
    try {
      request.end(body ?? undefined);
      const [response] = (await once(request, 'response')) as [IncomingMessage];
      return response;
    } catch (error) {
      if (signal.aborted) throw error;
      throw new Error(goErrorText(method, target, error as NodeJS.ErrnoException, heard()), { cause: error });
    } finally {
      clearTimeout(timer);
      heard.stop();
      request.on('error', ignoreLateError);
    }
  }

  async function post(text: string, signal: AbortSignal): Promise<void> {
    let method = 'POST';
    let target = url.requestUrl;
    let body: Buffer | null = gzip ? gzipSync(text) : Buffer.from(text);
    let referer: string | null = null;
    for (let requests = 1; ; requests++) {
      const response = await send(method, target, body, referer, signal);
      const status = response.statusCode ?? 0;
      const location = response.headers.location;
      if (status >= 200 && status < 300) {
        await discard(response, timeoutMs);
        return;
      }
      if (location === undefined || !REDIRECTS.has(status)) {
        throw new Error(`${status} ${response.statusMessage ?? ''}: ${await readText(response, timeoutMs)}`);
      }
      await discard(response, timeoutMs);
      const next = new URL(location, target).href;
      if (requests >= MOST_REQUESTS)
        throw new Error(goErrorText(redirectedMethod(method, status), next, new Error('stopped after 10 redirects')));
      referer = target;
      target = next;
      method = redirectedMethod(method, status);
      if (method === 'GET') body = null;
    }
  }

  return { post, close: () => agent.destroy() };
}

const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** The trap: at the older three Go asks again with GET and without the rows, and takes the answer for success. */
function redirectedMethod(method: string, status: number): string {
  return status === 307 || status === 308 ? method : 'GET';
}

/** The beginning of what the other side said so far: Go quotes the line in which an answer breaks off. */
function listen(request: ClientRequest): (() => string) & { stop(): void } {
  const chunks: Buffer[] = [];
  let socket: Socket | undefined;
  const hear = (chunk: Buffer) => void chunks.push(chunk);
  request.once('socket', (given) => {
    socket = given;
    socket.on('data', hear);
  });
  return Object.assign(() => Buffer.concat(chunks).toString('latin1'), { stop: () => void socket?.off('data', hear) });
}

function ignoreLateError(): void {
  // The answer was already taken at its status line: what happens to the connection later changes nothing.
}

/** Frees the connection for the next request. One whose body hangs is left behind, and closed in the end. */
async function discard(response: IncomingMessage, timeoutMs: number): Promise<void> {
  response.on('error', ignoreLateError);
  const timer = setTimeout(() => response.destroy(), timeoutMs);
  const closed = new Promise<void>((resolve) => response.once('close', resolve));
  void closed.then(() => clearTimeout(timer));
  response.resume();
  await Promise.race([closed, delay(BODY_PATIENCE_MS, undefined, { ref: false })]);
}

async function readText(response: IncomingMessage, timeoutMs: number): Promise<string> {
  const timer = setTimeout(() => response.destroy(new ClientTimeout()), timeoutMs);
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length;
      if (length <= LONGEST_ERROR_BODY) chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  } catch (cause) {
    throw new Error(`failed to read body for HTTP response with status: ${response.statusCode ?? 0}`, { cause });
  } finally {
    clearTimeout(timer);
  }
}
