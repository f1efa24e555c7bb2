import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext } from 'node:tls';
import { ReceiverStartError } from './receiver-error.js';

/** PEM texts. */
export interface ReceiverTls {
  /** The server's certificate, followed by its intermediates. */
  readonly cert: string;
  readonly key: string;
  /** When given, a client must show a certificate of this CA (mutual TLS). */
  readonly clientCa?: string;
}

/** What preflight looks at. */
export interface CertificateFacts {
  readonly subject: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** As in the certificate: `DNS:db.example`, `IP Address:10.0.0.1`. */
  readonly subjectAltNames: readonly string[];
  /** A self-signed certificate must be given to CockroachDB itself (`ca_cert`). */
  readonly selfSigned: boolean;
  /** Whether a client that asks for this name or address accepts the certificate. */
  coversHost(host: string): boolean;
}

/** @throws ReceiverStartError when the text is no certificate */
export function certificateFacts(cert: string): CertificateFacts {
  const parsed = parsing('the server certificate (FAILBACK_TLS_CERTIFICATE)', () => new X509Certificate(cert));
  return {
    subject: parsed.subject,
    notBefore: new Date(parsed.validFrom),
    notAfter: new Date(parsed.validTo),
    subjectAltNames: (parsed.subjectAltName ?? '').split(', ').filter((name) => name !== ''),
    selfSigned: parsed.checkIssued(parsed),
    coversHost: (host) => (isIP(host) > 0 ? parsed.checkIP(host) : parsed.checkHost(host)) !== undefined,
  };
}

/** @throws ReceiverStartError naming which of the three is wrong */
export function requireUsable({ cert, key, clientCa }: ReceiverTls): SecureContext {
  const facts = certificateFacts(cert);
  if (clientCa !== undefined)
    parsing('the CA of the clients (FAILBACK_CLIENT_CA)', () => new X509Certificate(clientCa));
  if (facts.notAfter.getTime() < Date.now())
    throw new ReceiverStartError(
      `the server certificate (FAILBACK_TLS_CERTIFICATE) ended at ${facts.notAfter.toISOString()}: install a valid one`,
    );
  return parsing('the server certificate (FAILBACK_TLS_CERTIFICATE) with its key (FAILBACK_TLS_PRIVATE_KEY)', () =>
    createSecureContext({ cert, key }),
  );
}

function parsing<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    // OpenSSL's own texts name no content, only what is wrong.
    throw new ReceiverStartError(
      `${what} cannot be used (${(cause as Error).message}): give the receiver a certificate and its key in PEM`,
      { cause },
    );
  }
}
