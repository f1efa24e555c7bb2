/** `1 read`, `2,446 reads`; without a thing the number alone. Pure. */
export function count(number: number, thing?: string): string {
  const digits = number.toLocaleString('en-US');
  return thing === undefined ? digits : `${digits} ${thing}${number === 1 ? '' : 's'}`;
}
