import { certificateAuthorities, keyPair } from './certificates.js';

/** What a webhook sink's URL says, its own parameters taken out of what is requested. */
export interface SinkUrl {
  /** `https://host:port/path?kept=1`, the text that stands in errors. */
  readonly requestUrl: string;
  readonly caCert?: Buffer;
  readonly clientCert?: Buffer;
  readonly clientKey?: Buffer;
  readonly insecureSkipVerify: boolean;
}

const OWN_PARAMETERS = ['ca_cert', 'client_cert', 'client_key', 'insecure_tls_skip_verify'];

/**
 * Reads `webhook-https://host:port/path?ca_cert=...&other=kept`. Parameters that the sink does not know stay in the request,
 * written anew as Go's URL library does: sorted by name.
 * @throws Error with CockroachDB's words.
 */
export function parseSinkUrl(sinkUri: string): SinkUrl {
  if (!sinkUri.startsWith('webhook-https:')) throw new Error('this sink requires https');
  const [base = '', query] = split(sinkUri.slice('webhook-'.length), '?');
  const parameters = readQuery(query ?? '');
  const first = (name: string) => parameters.find(([given]) => given === name)?.[1] ?? '';
  const insecureSkipVerify = boolean('insecure_tls_skip_verify', first('insecure_tls_skip_verify'));
  const caCert = base64('ca_cert', first('ca_cert'));
  const clientCert = base64('client_cert', first('client_cert'));
  const clientKey = base64('client_key', first('client_key'));
  if (caCert) certificateAuthorities(caCert);
  if (clientCert && !clientKey) throw new Error('client_cert requires client_key to be set');
  if (clientKey && !clientCert) throw new Error('client_key requires client_cert to be set');
  if (clientCert && clientKey) keyPair(clientCert, clientKey);
  const kept = writeQuery(parameters.filter(([name]) => !OWN_PARAMETERS.includes(name)));
  return {
    // A bare "?" at the end is part of the URL to Go.
    requestUrl: kept === '' && query !== '' ? base : `${base}?${kept}`,
    ...(caCert ? { caCert } : {}),
    ...(clientCert ? { clientCert } : {}),
    ...(clientKey ? { clientKey } : {}),
    insecureSkipVerify,
  };
}

function split(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

/** The parameters in their order; what cannot be unescaped is left out without a word, as Go does. */
function readQuery(query: string): (readonly [string, string])[] {
  return query.split('&').flatMap((parameter) => {
    if (parameter === '' || parameter.includes(';')) return [];
    const [name = '', value = ''] = split(parameter, '=');
    try {
      return [[unescaped(name), unescaped(value)] as const];
    } catch {
      return [];
    }
  });
}

function unescaped(text: string): string {
  return decodeURIComponent(text.replace(/\+/g, ' '));
}

function writeQuery(parameters: readonly (readonly [string, string])[]): string {
  return parameters
    .toSorted(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    .map(([name, value]) => `${escaped(name)}=${escaped(value)}`)
    .join('&');
}

function escaped(text: string): string {
  const percent = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
  return encodeURIComponent(text)
    .replace(/[!'()*]/g, percent)
    .replaceAll('%20', '+');
}

function base64(name: string, value: string): Buffer | undefined {
  if (value === '') return undefined;
  const digits = value.replace(/[\r\n]/g, '');
  // A "+" that was not URL-encoded has become a space, which CockroachDB refuses too.
  const good = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?/.exec(digits)?.[0].length ?? 0;
  if (good < digits.length) {
    const bad = /[^A-Za-z0-9+/]/.exec(digits)?.index ?? digits.length;
    throw new Error(`param ${name} must be base 64 encoded: illegal base64 data at input byte ${bad}`);
  }
  return Buffer.from(digits, 'base64');
}

function boolean(name: string, value: string): boolean {
  if (value === '' || /^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  throw new Error(`param ${name} must be a bool: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`);
}
