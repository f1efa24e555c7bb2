const SHAPE = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;
/** Zeros written out at either end; beyond that the exponent is shorter, and an attacker's 1E+999999999 stays short. */
const MAX_PLAIN_ZEROS = 100;

/**
 * The one spelling of a decimal's value: `1.500` and `15E-1` are `1.5`, `1E+2` is `100`, `-0.0` is `0`. Still a JSON number. A text that is
 * no number (`"NaN"`) stays.
 */
export function canonicalDecimal(text: string): string {
  const match = SHAPE.exec(text);
  if (!match) return text;
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = match;
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = digits.replace(/0+$/, '');
  if (significant === '') return '0';
  // value = significant * 10^exponent
  const exponent = BigInt(exponentText) - BigInt(fraction.length) + BigInt(digits.length - significant.length);
  return sign + spell(significant, exponent);
}

function spell(significant: string, exponent: bigint): string {
  const count = BigInt(significant.length);
  if (exponent >= 0n)
    return exponent <= MAX_PLAIN_ZEROS ? significant + '0'.repeat(Number(exponent)) : `${significant}E+${exponent}`;
  const wholeDigits = count + exponent;
  if (wholeDigits > 0n) return `${significant.slice(0, Number(wholeDigits))}.${significant.slice(Number(wholeDigits))}`;
  if (-wholeDigits <= MAX_PLAIN_ZEROS) return `0.${'0'.repeat(Number(-wholeDigits))}${significant}`;
  return `${significant}E${exponent}`;
}
