const UNIT_MS: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/**
 * Reads a duration as Go writes it (`250ms`, `1m30s`, `-1s`, `0`), in milliseconds.
 * @throws Error with Go's own words, which CockroachDB passes on: `time: invalid duration "abc"`.
 */
export function parseGoDuration(text: string): number {
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return 0;
  if (/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))*(?:\d+\.?\d*|\.\d+)$/.test(body)) {
    throw new Error(`time: missing unit in duration ${JSON.stringify(text)}`);
  }
  if (!/^(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.test(body)) {
    throw new Error(`time: invalid duration ${JSON.stringify(text)}`);
  }
  let ms = 0;
  for (const [, amount, unit] of body.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    ms += Number(amount) * (UNIT_MS[unit ?? ''] ?? 0);
  }
  return text.startsWith('-') ? -ms : ms;
}
