import { redactSecrets } from './sink-url.js';

/** What CockroachDB, or the way to it, objects to. */
export const COCKROACH_ERROR_KINDS = [
  'cursorTooOld',
  'cursorRefused',
  'tableTruncated',
  'tableDropped',
  'targetsUnresolved',
  'targetUnsupported',
  'schemaBoundary',
  'privilege',
  'authentication',
  'rangefeedDisabled',
  'licence',
  'optionRefused',
  'sinkUnsupported',
  'jobMissing',
  'jobStateRefused',
  'settingUnknown',
  'objectMissing',
  'syntax',
  'readOnly',
  'serialization',
  'overloaded',
  'cancelled',
  'timeout',
  'connection',
  'tls',
  'unknown',
] as const;
export type CockroachErrorKind = (typeof COCKROACH_ERROR_KINDS)[number];

export interface ClassifiedError {
  readonly kind: CockroachErrorKind;
  /** The same again later may succeed without anybody doing anything. */
  readonly retryable: boolean;
}

const RETRYABLE: ReadonlySet<CockroachErrorKind> = new Set([
  'serialization',
  'overloaded',
  'cancelled',
  'timeout',
  'connection',
]);

/** Texts first: most refusals of a changefeed carry no SQLSTATE of their own (`XXUUU`). The first match wins. */
const TEXTS: readonly (readonly [CockroachErrorKind, RegExp])[] = [
  ['cursorTooOld', /must be after replica GC threshold/],
  ['tableTruncated', /"[^"]*" was truncated/],
  ['tableDropped', /"[^"]*" was dropped|descriptor is being dropped/],
  ['schemaBoundary', /schema change occurred at/],
  ['targetsUnresolved', /failed to resolve targets in the CHANGEFEED stmt/],
  [
    'targetUnsupported',
    /CHANGEFEEDs? (cannot target|are not supported on|are currently supported on)|multiple (column )?families/,
  ],
  ['rangefeedDisabled', /rangefeeds require the kv\.rangefeed\.enabled setting/],
  ['licence', /requires an enterprise license/],
  ['sinkUnsupported', /unsupported sink/],
  ['jobMissing', /job with ID \d+ does not exist/],
  ['jobStateRefused', /job with status [\w-]+ cannot be/],
  ['settingUnknown', /unknown (cluster )?setting/],
  ['cursorRefused', /^AS OF SYSTEM TIME:/],
  [
    'optionRefused',
    /invalid option |option "?\w+"? (does not take|requires) a value|unknown (envelope|format|schema_change_policy|on_error)\b|cannot specify both|is only usable with|is required for format|sink is incompatible|(error processing|problem parsing) option|must be a (positive duration|duration greater than 0)|negative durations are not accepted|^time: (invalid duration|missing unit)|invalid sink config|Retry\.Max must be|^error unmarshalling json/,
  ],
  // What the sink URL brings: no TLS of ours has failed.
  [
    'optionRefused',
    /this sink requires |^param \S+ must be|client_(cert|key) requires client_|failed to parse certificate data|invalid client certificate data/,
  ],
  ['connection', /Connection terminated|timeout expired|not accepting clients|node is (draining|not ready)/],
  ['tls', /server does not support SSL|self.signed certificate|unable to verify|certificate/i],
];

/** SQLSTATE by code or by class, and the codes of Node's sockets. */
const CODES: Readonly<Record<string, CockroachErrorKind>> = {
  XXC02: 'licence',
  '55C01': 'schemaBoundary',
  '42501': 'privilege',
  '28000': 'authentication',
  '28P01': 'authentication',
  '3D000': 'objectMissing',
  '3F000': 'objectMissing',
  '42P01': 'objectMissing',
  '42703': 'objectMissing',
  '42704': 'objectMissing',
  '42883': 'objectMissing',
  '42601': 'syntax',
  '25006': 'readOnly',
  '40001': 'serialization',
  '40003': 'serialization',
  '40P01': 'serialization',
  '57014': 'cancelled',
  '57P01': 'connection',
  '57P02': 'connection',
  '57P03': 'connection',
  '08': 'connection',
  '53': 'overloaded',
  ECONNREFUSED: 'connection',
  ECONNRESET: 'connection',
  ECONNABORTED: 'connection',
  EPIPE: 'connection',
  ETIMEDOUT: 'timeout',
  ENOTFOUND: 'connection',
  EAI_AGAIN: 'connection',
  EHOSTUNREACH: 'connection',
  ENETUNREACH: 'connection',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'tls',
  SELF_SIGNED_CERT_IN_CHAIN: 'tls',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'tls',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'tls',
  CERT_HAS_EXPIRED: 'tls',
  ERR_TLS_CERT_ALTNAME_INVALID: 'tls',
};

/** Says what an error of the driver, or the text of a job's error, means. Pure and total. */
export function classifyCockroachError(error: { readonly message: string; readonly code?: unknown }): ClassifiedError {
  const kind = kindOf(error.message, typeof error.code === 'string' ? error.code : '');
  return { kind, retryable: RETRYABLE.has(kind) };
}

function kindOf(message: string, code: string): CockroachErrorKind {
  // A code that says something exact wins over words; XXUUU and an empty one say nothing.
  if (code === '42501' || code === 'XXC02' || code === '55C01') return CODES[code] ?? 'unknown';
  const byText = TEXTS.find(([, pattern]) => pattern.test(message));
  return byText?.[0] ?? CODES[code] ?? CODES[code.slice(0, 2)] ?? 'unknown';
}

/** A statement that CockroachDB refused, or that did not reach it. Carries no secret: URLs are redacted, DETAIL is dropped. */
export class CockroachError extends Error {
  readonly kind: CockroachErrorKind;
  readonly retryable: boolean;
  /** SQLSTATE, or Node's code of the socket; empty when there is none. */
  readonly code: string;

  constructor(doing: string, cause: unknown) {
    const facts = factsOf(cause);
    super(`${doing}: ${facts.message}${facts.code === '' ? '' : ` (${facts.code})`}`, { cause: withoutSecrets(cause) });
    this.name = 'CockroachError';
    this.code = facts.code;
    const { kind, retryable } = classifyCockroachError(facts);
    this.kind = kind;
    this.retryable = retryable;
  }
}

function factsOf(cause: unknown): { message: string; code: string } {
  if (!(cause instanceof Error)) return { message: redactSecrets(String(cause)), code: '' };
  const { code, hint } = cause as { code?: unknown; hint?: unknown };
  // Node's error for several refused addresses has an empty message.
  const first = cause instanceof AggregateError && cause.errors[0] instanceof Error ? cause.errors[0].message : '';
  const message = redactSecrets(cause.message === '' ? first : cause.message);
  return {
    message: typeof hint === 'string' ? `${message} (hint: ${redactSecrets(hint)})` : message,
    code: typeof code === 'string' ? code : '',
  };
}

/** The driver's error repeats the statement in DETAIL, and a statement may hold a private key. */
function withoutSecrets(cause: unknown): unknown {
  if (!(cause instanceof Error)) return cause;
  const { code } = cause as { code?: unknown };
  const copy = new Error(factsOf(cause).message);
  copy.name = cause.name;
  return typeof code === 'string' ? Object.assign(copy, { code }) : copy;
}
