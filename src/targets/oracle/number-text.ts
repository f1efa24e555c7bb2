/** Decimal digits that a NUMBER is sure to keep. */
const MOST_DIGITS = 38;
/** A NUMBER ends at 1E-130: what is smaller becomes 0 in silence. */
const LEAST_EXPONENT = -130;

const DECIMAL = /^([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/;

/** Null: none. A floating number has digits, and no scale. */
export interface NumberLimits {
  readonly precision: number | null;
  readonly scale: number | null;
  readonly floating: boolean;
}

/**
 * Whether a column takes a decimal text to its last digit: Oracle rounds to the column's scale, and to 38 digits, without a word. Too many digits
 * before the point are an error of its own, so they pass here.
 */
export function isExactIn(
  text: string,
  { precision, scale, floating }: NumberLimits,
): 'exact' | 'rounded' | 'no number' {
  const [, , whole = '', fraction = '', exponent = '0'] = DECIMAL.exec(text) ?? [];
  if (whole + fraction === '') return 'no number';
  const digits = (whole + fraction).replace(/^0+/, '').replace(/0+$/, '');
  if (digits === '') return 'exact';
  const zeros = /0*$/.exec(whole + fraction)?.[0].length ?? 0;
  /** The place of the last digit that is not 0: -2 are hundredths. */
  const last = Number(exponent) - fraction.length + zeros;
  if (digits.length > MOST_DIGITS || last < LEAST_EXPONENT) return 'rounded';
  if (floating) return digits.length > (precision ?? MOST_DIGITS) ? 'rounded' : 'exact';
  // NUMBER(p) has scale 0; NUMBER alone has any.
  const least = scale ?? (precision === null ? null : 0);
  return least !== null && last < -least ? 'rounded' : 'exact';
}
