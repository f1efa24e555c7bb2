/**
 * What Node says of a failed request, in the words of Go's HTTP client, which stand in a job's error.
 * @param heard what had been answered when the connection ended
 */
export function goErrorText(method: string, url: string, error: NodeJS.ErrnoException, heard = ''): string {
  return `${method.charAt(0)}${method.slice(1).toLowerCase()} ${JSON.stringify(url)}: ${cause(error, heard)}`;
}

export class ClientTimeout extends Error {
  constructor() {
    super('context deadline exceeded (Client.Timeout exceeded while awaiting headers)');
  }
}

const UNKNOWN_AUTHORITY = 'x509: certificate signed by unknown authority';

const BY_CODE: Record<string, string> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: UNKNOWN_AUTHORITY,
  SELF_SIGNED_CERT_IN_CHAIN: UNKNOWN_AUTHORITY,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT: UNKNOWN_AUTHORITY,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: UNKNOWN_AUTHORITY,
  CERT_HAS_EXPIRED: 'x509: certificate has expired or is not yet valid',
  CERT_NOT_YET_VALID: 'x509: certificate has expired or is not yet valid',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'remote error: tls: certificate required',
  ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE: 'remote error: tls: bad certificate',
  ERR_SSL_TLSV1_ALERT_UNKNOWN_CA: 'remote error: tls: unknown certificate authority',
  ERR_SSL_WRONG_VERSION_NUMBER: 'http: server gave HTTP response to HTTPS client',
};

function cause(
  error: NodeJS.ErrnoException & {
    address?: string;
    port?: number;
    hostname?: string;
    host?: string;
    cert?: { subjectaltname?: string };
  },
  heard: string,
): string {
  const code = error.code ?? '';
  const known = BY_CODE[code];
  if (known) return known;
  if (error instanceof ClientTimeout) return error.message;
  switch (code) {
    case 'ECONNREFUSED':
      return `dial tcp ${address(error.address, error.port)}: connect: connection refused`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `dial tcp: lookup ${error.hostname ?? ''}: no such host`;
    case 'ETIMEDOUT':
      return `dial tcp ${address(error.address, error.port)}: connect: connection timed out`;
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return wrongName(error.host ?? '', error.cert?.subjectaltname ?? '');
    case 'EPIPE':
      return 'write: broken pipe';
    case 'ECONNRESET':
      // Node says the same of a closed connection and of a reset one; only the latter comes from a system call.
      if (error.syscall) return `${error.syscall}: connection reset by peer`;
      return heard === '' ? 'EOF' : `net/http: HTTP/1.x transport connection broken: ${brokenOff(heard)}`;
    default:
      return code.startsWith('HPE_')
        ? `net/http: HTTP/1.x transport connection broken: malformed HTTP response: ${code}`
        : error.message;
  }
}

function brokenOff(heard: string): string {
  const lines = heard.split('\r\n');
  const last = lines.at(-1) ?? '';
  const inHeaders = lines.length > 1 && last !== '' && !last.includes(':');
  return inHeaders ? `malformed MIME header: missing colon: ${JSON.stringify(last)}` : 'unexpected EOF';
}

function address(host = '', port = 0): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function wrongName(host: string, names: string): string {
  const valid = [...names.matchAll(/(?:DNS|IP Address):([^,]+)/g)].map((match) => match[1] ?? '');
  if (/^[\d.]+$|:/.test(host) && !names.includes('IP Address:')) {
    return `x509: cannot validate certificate for ${host} because it doesn't contain any IP SANs`;
  }
  return `x509: certificate is valid for ${valid.join(', ')}, not ${host}`;
}
