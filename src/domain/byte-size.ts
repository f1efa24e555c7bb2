const UNITS: Readonly<Record<string, number>> = { '': 1, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 };

/** Bytes of `1048576`, `512MiB`, `10GiB` or `2TiB`; null for anything else. */
export function parseBytes(text: string): number | null {
  const [, digits, unit = ''] = /^(\d{1,15})(MiB|GiB|TiB)?$/.exec(text) ?? [];
  if (digits === undefined) return null;
  const bytes = Number(digits) * (UNITS[unit] ?? NaN);
  return Number.isSafeInteger(bytes) ? bytes : null;
}

/** For people: whole MiB, rounded up. */
export function formatBytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20).toLocaleString('en')} MiB`;
}
