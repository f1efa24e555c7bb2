interface Decimal {
  readonly negative: boolean;
  /** Without leading zeros, `0` for zero. */
  readonly digits: string;
  readonly exponent: number;
}

/** PostgreSQL keeps no exponent: integers longer than this, ending in zeros, are written as CockroachDB writes `1E+30`. */
const LONGEST_PLAIN_INTEGER = 20;

/** A DECIMAL value from PostgreSQL's text: trailing zeros kept, small numbers as `-1E-28`, NaN and the infinities as strings. */
export function decimalJson(text: string): string {
  const special = specialJson(text);
  if (special) return special;
  const decimal = parse(text);
  return write(decimal.exponent === 0 && decimal.digits.length > LONGEST_PLAIN_INTEGER ? stripped(decimal) : decimal);
}

/** A DECIMAL as it comes back from an index key: the value alone is kept there, so `1.500` is `1.5` and `100` is `1E+2`. */
export function decimalKeyJson(text: string): string {
  return specialJson(text) ?? write(stripped(parse(text)));
}

/** A FLOAT from PostgreSQL's shortest text: `1e+300` is `1E+300`, `100` is `1E+2`, minus zero keeps its sign. */
export function floatJson(text: string): string {
  return specialJson(text) ?? write(stripped(parse(text)));
}

function specialJson(text: string): string | null {
  return text === 'NaN' || text === 'Infinity' || text === '-Infinity' ? `"${text}"` : null;
}

function parse(text: string): Decimal {
  const match = /^(-?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!match)
    throw new Error(`not a number of PostgreSQL: ${text.length} characters; is the column's type recorded right?`);
  const fraction = match[3] ?? '';
  const digits = `${match[2] ?? ''}${fraction}`.replace(/^0+(?=\d)/, '');
  return { negative: match[1] === '-', digits, exponent: Number(match[4] ?? 0) - fraction.length };
}

function stripped(decimal: Decimal): Decimal {
  if (decimal.digits === '0') return { ...decimal, exponent: 0 };
  const digits = decimal.digits.replace(/0+$/, '');
  return { ...decimal, digits, exponent: decimal.exponent + decimal.digits.length - digits.length };
}

function write({ negative, digits, exponent }: Decimal): string {
  const sign = negative ? '-' : '';
  const adjusted = exponent + digits.length - 1;
  if (exponent <= 0 && adjusted >= -6) {
    if (exponent === 0) return sign + digits;
    const padded = digits.padStart(1 - exponent, '0');
    return `${sign}${padded.slice(0, exponent)}.${padded.slice(exponent)}`;
  }
  const mantissa = digits.length === 1 ? digits : `${digits.slice(0, 1)}.${digits.slice(1)}`;
  return `${sign}${mantissa}E${adjusted >= 0 ? '+' : '-'}${Math.abs(adjusted)}`;
}
