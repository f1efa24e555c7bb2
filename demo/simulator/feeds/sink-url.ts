/** What a webhook sink's URL says, its own parameters taken out of what is requested. */
export interface SinkUrl {
  /** `https://host:port/path?kept=1`, the text that stands in errors. */
  readonly requestUrl: string;
  readonly caCert?: Buffer;
  readonly clientCert?: Buffer;
  readonly clientKey?: Buffer;
  readonly insecureSkipVerify: boolean;
}

const SCHEME = 'webhook-https:';

/**
 * Reads `webhook-https://host:port/path?ca_cert=...&other=kept`.
 * Parameters that the sink does not know stay in the request, byte for byte.
 * @throws Error with CockroachDB's words.
 */
export function parseSinkUrl(sinkUri: string): SinkUrl {
  if (sinkUri.startsWith('webhook-http:'))
    throw new Error(
      'unsupported sink: webhook-http. HTTP endpoints can be used with webhook-https and insecure_tls_skip_verify=true',
    );
  if (!sinkUri.startsWith(SCHEME)) throw new Error(`unsupported sink: ${/^([a-z0-9+.-]*):/i.exec(sinkUri)?.[1] ?? ''}`);
  const [base = '', query = ''] = split(sinkUri.slice('webhook-'.length), '?');
  const own = new Map<string, string>();
  const kept = query.split('&').filter((parameter) => {
    const [name = '', value = ''] = split(parameter, '=');
    if (!OWN_PARAMETERS.has(name)) return parameter !== '';
    own.set(name, decodeURIComponent(value.replace(/\+/g, ' ')));
    return false;
  });
  const caCert = certificate(own, 'ca_cert');
  const clientCert = certificate(own, 'client_cert');
  const clientKey = certificate(own, 'client_key');
  if (clientCert && !clientKey) throw new Error('client_cert requires client_key to be set');
  if (clientKey && !clientCert) throw new Error('client_key requires client_cert to be set');
  return {
    requestUrl: kept.length > 0 ? `${base}?${kept.join('&')}` : base,
    ...(caCert ? { caCert } : {}),
    ...(clientCert ? { clientCert } : {}),
    ...(clientKey ? { clientKey } : {}),
    insecureSkipVerify: boolean(own.get('insecure_tls_skip_verify')),
  };
}

const OWN_PARAMETERS = new Set(['ca_cert', 'client_cert', 'client_key', 'insecure_tls_skip_verify']);

function split(text: string, separator: string): string[] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function certificate(own: Map<string, string>, name: string): Buffer | undefined {
  const value = own.get(name);
  if (value === undefined) return undefined;
  // A "+" that was not URL-encoded has become a space, which CockroachDB refuses too.
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(value))
    throw new Error(`param ${name} must be base 64 encoded: illegal base64 data`);
  return Buffer.from(value, 'base64');
}

function boolean(value: string | undefined): boolean {
  if (value === undefined) return false;
  if (/^(1|t|T|TRUE|true|True)$/.test(value)) return true;
  if (/^(0|f|F|FALSE|false|False)$/.test(value)) return false;
  throw new Error(
    `param insecure_tls_skip_verify must be a bool: strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
  );
}
