import { request } from 'node:https';
import { Context } from '@temporalio/activity';
import type { ListeningWord } from '../domain/attempt.js';
import { INCARNATION_PARAMETER, STREAM_PARAMETER } from '../domain/sink-parameters.js';
import { CataloguedError, translated } from './failure-translation.js';
import type { SinkSecrets } from './changefeed.js';

export interface ProofWish {
  readonly word: ListeningWord;
  readonly sinkPath: readonly string[];
  readonly stream: string;
}

const PROOF_TIMEOUT_MS = 10_000;

/** Short activities about hosts and their receivers. */
export function createHostActivities({ host, secrets }: { readonly host: string; readonly secrets: SinkSecrets }) {
  return translated({
    /** Answered by any worker of the shared queue with the name of its own. */
    whichHost(_: Record<string, never>): Promise<{ host: string }> {
      return Promise.resolve({ host });
    },

    /**
     * Proves the receiver with a request through its advertised URL, TLS and DNS included, with what CockroachDB will be given. The answer must
     * name the very attempt.
     */
    async proveReceiver({ word, sinkPath, stream }: ProofWish): Promise<{ url: string; answer: string }> {
      const url = new URL(word.receiverUrl);
      url.pathname = `/${sinkPath.map(encodeURIComponent).join('/')}`;
      url.search = new URLSearchParams({
        [STREAM_PARAMETER]: stream,
        [INCARNATION_PARAMETER]: String(word.incarnation),
      }).toString();
      const { tls, token } = await secrets.read();
      const { status, text } = await get(url, { ...tls, token }, Context.current().cancellationSignal);
      if (status !== 200)
        throw new CataloguedError('Receiver.Unreachable', `${url.origin} answers ${status}: ${text.slice(0, 200)}`);
      if (text !== `listening ${word.token}`)
        throw new CataloguedError(
          'Receiver.Unreachable',
          `${url.origin} leads to another receiver than the one that listens for this stream`,
        );
      return { url: url.origin, answer: `200, from the attempt that listens` };
    },
  });
}

function get(
  url: URL,
  secret: { caCert?: string; clientCert?: string; clientKey?: string; token: string | null },
  signal: AbortSignal,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(
        new CataloguedError('Receiver.Unreachable', `${url.origin} cannot be reached: ${error.message}`, {
          cause: error,
        }),
      );
    const asking = request(
      url,
      {
        method: 'GET',
        signal,
        timeout: PROOF_TIMEOUT_MS,
        agent: false,
        ...(secret.caCert === undefined ? {} : { ca: secret.caCert }),
        ...(secret.clientCert === undefined ? {} : { cert: secret.clientCert }),
        ...(secret.clientKey === undefined ? {} : { key: secret.clientKey }),
        headers: secret.token === null ? {} : { Authorization: `Bearer ${secret.token}` },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => (text += part));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', fail);
      },
    );
    asking.on('timeout', () => asking.destroy(new Error(`no answer within ${PROOF_TIMEOUT_MS} ms`)));
    asking.on('error', fail);
    asking.end();
  });
}
