import { canonicalJson } from './json-value.js';

/** What CockroachDB's value is, whose text is compared with JSON. */
export interface JsonOrigin {
  /** CockroachDB's base type: `jsonb`, or that of the elements. */
  readonly from: string;
  readonly fromArray: boolean;
}

/** Whether the target's JSON, or its text of it, means what the source's text says. */
export function sameJson(type: JsonOrigin, source: string | null, target: string | null): boolean {
  if (source === null || target === null) return source === target;
  const sent = type.fromArray ? arrayAsJson(type.from, source) : source;
  const [a, b] = [sent === null ? null : canonicalJson(sent), canonicalJson(target)];
  if (a === null || b === null) return source === target;
  return normalTimes(type, a) === normalTimes(type, b);
}

/** The changefeed writes times in arrays as ISO 8601, SQL with a space. */
function normalTimes({ from, fromArray }: JsonOrigin, json: string): string {
  if (!fromArray || !/^timestamp/.test(from)) return json;
  return json.replace(
    /"(-?\d+-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:\+00(?::00)?|Z)?"/g,
    (_, day: string, clock: string, fraction = '') => `"${day} ${clock}.${String(fraction).replace(/0+$/, '')}"`,
  );
}

const NUMBERS: ReadonlySet<string> = new Set(['int8', 'int4', 'int2', 'oid', 'decimal', 'float8', 'float4']);
/** An element in double quotes, or bare. */
const ELEMENT = /"((?:[^"\\]|\\[\s\S])*)"|([^,{}]+)/g;

/** PostgreSQL's text of an array of one dimension as JSON. Null: it is something else. */
function arrayAsJson(from: string, text: string): string | null {
  if (!text.startsWith('{') || !text.endsWith('}')) return null;
  const elements = [...text.slice(1, -1).matchAll(ELEMENT)].map(([, quoted, bare]) => {
    if (quoted === undefined && bare === 'NULL') return 'null';
    const value = quoted?.replaceAll(/\\([\s\S])/g, '$1') ?? bare ?? '';
    if (from === 'bool') return value === 't' || value === 'true' ? 'true' : 'false';
    return NUMBERS.has(from) && /^-?\d/.test(value) ? value : JSON.stringify(value);
  });
  return `[${elements.join(',')}]`;
}
