import { INCARNATION_PARAMETER, STREAM_PARAMETER } from '../domain/sink-parameters.js';

/** Where a stream's changefeed sends its rows. */
export interface SinkTarget {
  /** Name or address that every node of the cluster reaches; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** Segments of the path, e.g. `['shop', 'public']` for `/shop/public`. */
  readonly path: readonly string[];
  readonly stream: string;
  /** n: the number of this CREATE CHANGEFEED (protocol rule A). */
  readonly incarnation: number;
  /** Certificates and key in PEM. */
  readonly tls: { readonly caCert?: string; readonly clientCert?: string; readonly clientKey?: string };
}

/** The sink URL for CREATE CHANGEFEED. It holds a private key: it goes nowhere but into the statement. */
export function buildSinkUrl(sink: SinkTarget): string {
  const parameters = [
    ['ca_cert', base64(sink.tls.caCert)],
    ['client_cert', base64(sink.tls.clientCert)],
    ['client_key', base64(sink.tls.clientKey)],
    [STREAM_PARAMETER, sink.stream],
    [INCARNATION_PARAMETER, String(sink.incarnation)],
  ] as const;
  const query = parameters.flatMap(([name, value]) => (value === null ? [] : [`${name}=${encodeURIComponent(value)}`]));
  const host = sink.host.includes(':') ? `[${sink.host}]` : sink.host;
  const path = sink.path.map((segment) => `/${encodeURIComponent(segment)}`).join('');
  return `webhook-https://${host}:${sink.port}${path}?${query.join('&')}`;
}

/** What a job's sink URI tells, redacted or not. */
export interface ParsedSink {
  readonly host: string;
  readonly port: number;
  readonly path: readonly string[];
  /** Null when the sink is not a stream of ours. */
  readonly stream: string | null;
  readonly incarnation: number | null;
}

/** Reads the sink URI of a job; null when it is not a webhook's. */
export function parseSinkUrl(uri: string): ParsedSink | null {
  const match = /^webhook-(https?):\/\/(.*)$/s.exec(uri);
  // The URL parser treats only schemes that it knows as having host and path.
  const url = match ? parseUrl(`${match[1] ?? ''}://${match[2] ?? ''}`) : null;
  if (!url) return null;
  const incarnation = url.searchParams.get(INCARNATION_PARAMETER);
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(url.port === '' ? (match?.[1] === 'http' ? 80 : 443) : url.port),
    path: url.pathname.split('/').filter(Boolean).map(decodeSegment),
    stream: url.searchParams.get(STREAM_PARAMETER),
    incarnation: incarnation !== null && /^\d{1,9}$/.test(incarnation) ? Number(incarnation) : null,
  };
}

const SECRET_HEADER = /(webhook_auth_header\s*=\s*)'(?:[^']|'')*'/gi;
const URL_IN_TEXT = /\b([a-z][a-z0-9+.-]*:\/\/)([^\s'"<>]+)/gi;
const OURS = new Set([STREAM_PARAMETER, INCARNATION_PARAMETER]);

/**
 * Any text of CockroachDB's (an error, a running status, a sink URI, a statement) without what may be secret: user and password of
 * every URL, the values of its query parameters except our own two, and the authorization header.
 */
export function redactSecrets(text: string): string {
  return text
    .replace(SECRET_HEADER, "$1'redacted'")
    .replace(URL_IN_TEXT, (_whole, scheme: string, rest: string) => `${scheme}${redactRest(rest)}`);
}

function redactRest(rest: string): string {
  const [, before = '', query] = /^([^?]*)(?:\?(.*))?$/s.exec(rest) ?? [];
  const place = before.replace(/^[^/]*@/, 'redacted@');
  if (query === undefined) return place;
  const parameters = query.split('&').map((parameter) => {
    const name = parameter.split('=', 1)[0] ?? '';
    return OURS.has(name) || !parameter.includes('=') ? parameter : `${name}=redacted`;
  });
  return `${place}?${parameters.join('&')}`;
}

function base64(pem: string | undefined): string | null {
  return pem === undefined ? null : Buffer.from(pem, 'utf8').toString('base64');
}

function parseUrl(text: string): URL | null {
  return URL.canParse(text) ? new URL(text) : null;
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}
