import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const DAY_MS = 24 * 60 * 60 * 1000;

/** PEM texts. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface IssueOptions {
  /** DNS names or IP addresses. */
  readonly names?: readonly string[];
  readonly notBefore?: Date;
  /** Default: in a day. */
  readonly notAfter?: Date;
}

/** A throw-away certificate authority. Nothing is written to disk. */
export interface CertificateAuthority {
  /** PEM. */
  readonly cert: string;
  issueServer(options?: IssueOptions): Promise<Certificate>;
  issueClient(name: string, options?: IssueOptions): Promise<Certificate>;
}

export async function createCertificateAuthority(name = 'Failback demo CA'): Promise<CertificateAuthority> {
  x509.cryptoProvider.set(webcrypto);
  const keys = await newKeys();
  const subject = `CN=${name}`;
  const { notBefore, notAfter } = lifetime({});
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: subject,
    notBefore,
    notAfter,
    signingAlgorithm: ALGORITHM,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, 1, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });

  async function issue(commonName: string, usage: string, options: IssueOptions): Promise<Certificate> {
    const own = await newKeys();
    const names = (options.names ?? []).map((value) => ({ type: isAddress(value) ? 'ip' : 'dns', value }) as const);
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: `CN=${commonName}`,
      issuer: root.subject,
      ...lifetime(options),
      signingAlgorithm: ALGORITHM,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([usage]),
        await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
        ...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []),
      ],
    });
    const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', own.privateKey);
    return { cert: certificate.toString('pem'), key: x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') };
  }

  return {
    cert: root.toString('pem'),
    issueServer: (options = {}) =>
      issue('failback receiver', x509.ExtendedKeyUsage.serverAuth, { names: ['localhost', '127.0.0.1'], ...options }),
    issueClient: (client, options = {}) => issue(client, x509.ExtendedKeyUsage.clientAuth, options),
  };
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify']);
}

/** From an hour ago: a clock that is a little behind must not refuse it. */
function lifetime({ notBefore, notAfter }: IssueOptions): { notBefore: Date; notAfter: Date } {
  return {
    notBefore: notBefore ?? new Date(Date.now() - 60 * 60 * 1000),
    notAfter: notAfter ?? new Date(Date.now() + DAY_MS),
  };
}

function serialNumber(): string {
  return Buffer.from(webcrypto.getRandomValues(new Uint8Array(15)))
    .toString('hex')
    .replace(/^./, '1');
}

function isAddress(name: string): boolean {
  return /^[\d.]+$|:/.test(name);
}
