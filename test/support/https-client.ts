import { request, type Agent } from 'node:https';

export interface HttpsAnswer {
  readonly status: number;
  readonly text: string;
}

export interface HttpsRequest {
  readonly port: number;
  readonly path: string;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly agent?: Agent | false;
  readonly maxVersion?: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3';
}

/** One request to 127.0.0.1. The certificate is checked against `ca`. */
export function httpsRequest(options: HttpsRequest): Promise<HttpsAnswer> {
  const { port, path, ca, cert, key, method = 'POST', headers = {}, body = '', agent = false, maxVersion } = options;
  return new Promise((resolve, reject) => {
    const sent = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method,
        agent,
        ...(ca === undefined ? { rejectUnauthorized: false } : { ca }),
        ...(cert === undefined ? {} : { cert, key }),
        ...(maxVersion === undefined ? {} : { minVersion: 'TLSv1', maxVersion, ciphers: 'DEFAULT@SECLEVEL=0' }),
        headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body), ...headers },
      },
      (response) => {
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (chunk: string) => (text += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
        response.on('error', reject);
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}
