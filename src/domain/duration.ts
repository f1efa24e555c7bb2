/** Milliseconds a unit, as CockroachDB's and Go's durations spell them. */
const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
const PART = /(\d+(?:\.\d+)?)(ms|s|m|h|d)/gy;

/** Reads `250ms`, `30s`, `1m30s`, `4d` into milliseconds; null for anything else, and for zero. */
export function parseDuration(text: string): number | null {
  let total = 0;
  PART.lastIndex = 0;
  while (PART.lastIndex < text.length) {
    const match = PART.exec(text);
    if (!match) return null;
    total += Number(match[1]) * (UNITS[match[2] ?? ''] ?? Number.NaN);
  }
  return total > 0 && Number.isFinite(total) ? total : null;
}

/** For people: `850 ms`, `12 s`, `3 min 20 s`, `2 h 5 min`, `1 d 4 h`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  const [big, small] =
    seconds < 3_600
      ? [`${Math.floor(seconds / 60)} min`, rest(seconds % 60, 's')]
      : seconds < 86_400
        ? [`${Math.floor(seconds / 3_600)} h`, rest(Math.floor((seconds % 3_600) / 60), 'min')]
        : [`${Math.floor(seconds / 86_400)} d`, rest(Math.floor((seconds % 86_400) / 3_600), 'h')];
  return `${big}${small}`;
}

function rest(value: number, unit: string): string {
  return value === 0 ? '' : ` ${value} ${unit}`;
}
