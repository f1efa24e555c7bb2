import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createCertificateAuthority } from './certificates.js';

/** Files of a throw-away CA, a server's and a client's certificate, in a folder. */
export interface CertificateFiles {
  readonly ca: string;
  readonly serverCertificate: string;
  readonly serverKey: string;
  readonly clientCertificate: string;
  readonly clientKey: string;
}

/** Makes them anew; the keys are readable by their owner only. */
export async function writeCertificates(folder: string, names: readonly string[]): Promise<CertificateFiles> {
  const authority = await createCertificateAuthority();
  const server = await authority.issueServer({ names });
  const client = await authority.issueClient('cockroachdb');
  const write = (name: string, text: string): string => {
    const file = join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  return {
    ca: write('ca.crt', authority.cert),
    serverCertificate: write('server.crt', server.cert),
    serverKey: write('server.key', server.key),
    clientCertificate: write('client.crt', client.cert),
    clientKey: write('client.key', client.key),
  };
}
