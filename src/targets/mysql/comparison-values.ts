import { parseSourceType } from '../../domain/source-type.js';
import type { ComparedColumn } from '../snapshot.js';

/** The type of a compared column, taken apart. */
export interface ComparedType {
  /** `bigint`, `varchar`, `json`, ... */
  readonly base: string;
  /** The numbers in brackets. */
  readonly limits: readonly number[];
  readonly unsigned: boolean;
  readonly collation: string | null;
  /** CockroachDB's base type. */
  readonly from: string;
  readonly fromArray: boolean;
}

export function comparedTypeOf({ targetType, sourceType = 'string' }: ComparedColumn): ComparedType {
  const [, collation = null] = / collate (\w+)$/.exec(targetType) ?? [];
  const limits = /\((\d[\d,]*)\)/.exec(targetType)?.[1] ?? '';
  const { base: from, array: fromArray } = parseSourceType(sourceType);
  return {
    base: /^\w+/.exec(targetType)?.[0] ?? '',
    limits: limits === '' ? [] : limits.split(',').map(Number),
    unsigned: /\bunsigned\b/.test(targetType),
    collation,
    from,
    fromArray,
  };
}

export const isBinary = ({ base }: ComparedType): boolean => /binary$|blob$/.test(base);
export const isText = ({ base }: ComparedType): boolean => /char$|text$|^enum$|^set$/.test(base);
/** Compared by value, outside of the server: MariaDB 10.6 has no function for it. */
export const isJson = ({ base, from, fromArray }: ComparedType): boolean =>
  base === 'json' || (isText({ base } as ComparedType) && (from === 'jsonb' || fromArray));

/**
 * The source's text as the target shows the same value (`shownSql`), so that two values are the same where two texts are. What no value of the
 * target is shown as stays as it is, and differs from all of them.
 */
export function asTargetShows(type: ComparedType, text: string): string {
  if (isJson(type)) return text;
  switch (type.base) {
    case 'tinyint':
    case 'smallint':
    case 'mediumint':
    case 'int':
    case 'bigint':
    case 'bit':
      if (type.from === 'bool') return text === 't' || text === 'true' ? '1' : '0';
      return text;
    case 'decimal':
      return asDecimal(text, type.limits[1] ?? 0);
    case 'float':
      return asFloat(text);
    case 'datetime':
    case 'timestamp':
      return withFraction(text.replace('T', ' ').replace(/(?:\+00(?::00)?|Z)$/, ''), type.limits[0] ?? 0);
    case 'time':
      return withFraction(text, type.limits[0] ?? 0);
    default:
      return isBinary(type) ? asHex(text) : text;
  }
}

/** ... and back: as the source reads it. */
export function asSourceReads(type: ComparedType, shown: string): string {
  if (type.from === 'bool') return shown === '0' ? 'f' : 't';
  if (!isBinary(type)) return shown;
  return type.from === 'uuid' ? shown.replace(/^(.{8})(.{4})(.{4})(.{4})(.*)$/, '$1-$2-$3-$4-$5') : `\\x${shown}`;
}

/** MySQL shows all digits of the scale; more than these are another value. */
function asDecimal(text: string, scale: number): string {
  const [matched, sign = '', whole = '', fraction = ''] = /^(-?)0*(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  if (matched === undefined) return text;
  const kept = fraction.replace(/0+$/, '').padEnd(scale, '0');
  const isZero = /^0*$/.test(whole + kept);
  return `${isZero ? '' : sign}${whole}${kept === '' ? '' : `.${kept}`}`;
}

/** A FLOAT stands for the shortest number of up to nine digits that comes back from it: what has more was never written there. */
function asFloat(text: string): string {
  const single = Math.fround(Number(text));
  const isKept = Array.from({ length: 9 }, (_, digits) => digits + 1).some(
    (digits) => Number(single.toPrecision(digits)) === Number(text),
  );
  return isKept ? (Object.is(single, -0) ? '-0' : String(single)) : 'no FLOAT';
}

function withFraction(text: string, digits: number): string {
  const [, moment = text, fraction = ''] = /^(.*:\d\d)(?:\.(\d+))?$/.exec(text) ?? [];
  const kept = fraction.replace(/0+$/, '').padEnd(digits, '0');
  return kept === '' ? moment : `${moment}.${kept}`;
}

/** Bytes are `\x` and their digits; a UUID's stand in the order of its digits. */
function asHex(text: string): string {
  return text.startsWith('\\x') ? text.slice(2) : text.replaceAll('-', '');
}
