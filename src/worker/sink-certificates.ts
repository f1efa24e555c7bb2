import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { InvalidConfigError, type WorkerConfig } from './config.js';
import { readPem } from './pem-file.js';

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Checks at the start what CockroachDB is given: it would learn of a wrong certificate only with the changefeed, in words of its own.
 * @throws InvalidConfigError
 */
export function requireSinkCertificates({ sink, receiver }: Pick<WorkerConfig, 'sink' | 'receiver'>): void {
  if (sink.caFile !== null) parsed('FAILBACK_SINK_CA', readPem('FAILBACK_SINK_CA', sink.caFile));
  if (sink.clientCertificateFile === null || sink.clientKeyFile === null) return;
  const cert = readPem('FAILBACK_SINK_CLIENT_CERTIFICATE', sink.clientCertificateFile);
  const key = readPem('FAILBACK_SINK_CLIENT_KEY', sink.clientKeyFile);
  const chain = parsed('FAILBACK_SINK_CLIENT_CERTIFICATE', cert);
  try {
    createSecureContext({ cert, key });
  } catch {
    throw new InvalidConfigError(['FAILBACK_SINK_CLIENT_KEY is not the key of FAILBACK_SINK_CLIENT_CERTIFICATE']);
  }
  if (!receiver?.clientCaFile) return;
  const authorities = parsed('FAILBACK_CLIENT_CA', readPem('FAILBACK_CLIENT_CA', receiver.clientCaFile));
  // Intermediates follow the client's own: one of the chain must be of the CA.
  if (
    !chain.some((one) => authorities.some((authority) => one.checkIssued(authority) && one.verify(authority.publicKey)))
  )
    throw new InvalidConfigError([
      'FAILBACK_SINK_CLIENT_CERTIFICATE is of another authority than FAILBACK_CLIENT_CA: the receiver would not let CockroachDB in',
    ]);
}

function parsed(variable: string, text: string): X509Certificate[] {
  try {
    const found = (text.match(PEM) ?? []).map((pem) => new X509Certificate(pem));
    if (found.length > 0) return found;
  } catch {
    // Said below: OpenSSL's words would not help.
  }
  throw new InvalidConfigError([`${variable} is no certificate in PEM`]);
}
