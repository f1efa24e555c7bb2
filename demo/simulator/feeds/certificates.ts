import { createPrivateKey, X509Certificate } from 'node:crypto';

const PEM_BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----\r?\n[\s\S]*?-----END \1-----/g;

/**
 * Reads certificates in PEM as Go's pool of authorities does: what is not one is passed over, one at least must be.
 * @throws Error with CockroachDB's words.
 */
export function certificateAuthorities(pem: Buffer): void {
  if (!blocks(pem, 'CERTIFICATE').some(isCertificate))
    throw new Error(`failed to parse certificate data:${pem.toString()}`);
}

/**
 * Checks that a client's certificate and key are PEM and belong together.
 * @throws Error with CockroachDB's words around those of Go.
 */
export function keyPair(certificate: Buffer, key: Buffer): void {
  const invalid = (words: string) => new Error(`invalid client certificate data provided: tls: ${words}`);
  const [first] = blocks(certificate, 'CERTIFICATE');
  if (first === undefined) throw invalid('failed to find any PEM data in certificate input');
  if (blocks(key).length === 0) throw invalid('failed to find any PEM data in key input');
  if (!matches(first, key)) throw invalid('private key does not match public key');
}

function blocks(pem: Buffer, kind?: string): string[] {
  return [...pem.toString().matchAll(PEM_BLOCK)]
    .filter((match) => kind === undefined || match[1] === kind)
    .map((match) => match[0]);
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined;
  } catch {
    return false;
  }
}

function matches(certificate: string, key: Buffer): boolean {
  try {
    return new X509Certificate(certificate).checkPrivateKey(createPrivateKey(key));
  } catch {
    return false;
  }
}
