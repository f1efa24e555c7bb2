import { readFileSync, writeFileSync } from 'node:fs';

// Draws docs/images/performance.svg from docs/performance.json, the figures of one run of the benchmarks: `node --import tsx bench/plot.ts`.
interface Figures {
  readonly caption: string;
  /** Rows/s of the loop as a part of the ceiling of the same run. */
  readonly apply: readonly { readonly name: string; readonly ofCeiling: number }[];
  /** A backlog of so many rows: rows/s to visible, and the most memory, in MB. */
  readonly backlog: readonly { readonly rows: string; readonly perSecond: number; readonly memory: number }[];
}

const BAR = 26;
const LEFT = 250;
const WIDTH = 420;
const { caption, apply, backlog } = JSON.parse(readFileSync('docs/performance.json', 'utf8')) as Figures;

const parts: string[] = [];
let y = 30;
const text = (x: number, at: number, words: string, more = ''): void =>
  void parts.push(`<text x="${x}" y="${at}" ${more}>${words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')}</text>`);
const heading = (words: string): void => {
  text(10, y, words, 'font-weight="bold"');
  y += 14;
};
const bar = (name: string, part: number, shown: string, colour: string): void => {
  text(LEFT - 10, y + 17, name, 'text-anchor="end"');
  parts.push(
    `<rect x="${LEFT}" y="${y + 4}" width="${(WIDTH * part).toFixed(1)}" height="${BAR - 8}" fill="${colour}"/>`,
  );
  text(LEFT + WIDTH * part + 8, y + 17, shown);
  y += BAR;
};

heading('Apply loop, of the ceiling of the same run');
for (const { name, ofCeiling } of apply) bar(name, Math.min(1, ofCeiling), ofCeiling.toFixed(2), '#4477aa');
y += 24;
heading('Backlog: rows/s to visible');
const most = Math.max(...backlog.map(({ perSecond }) => perSecond));
for (const { rows, perSecond } of backlog)
  bar(rows, (perSecond / most) * 0.8, perSecond.toLocaleString('en'), '#228833');
y += 24;
heading('Backlog: most memory of the process, of the 400 MB allowed');
for (const { rows, memory } of backlog) bar(rows, memory / 400, `${memory} MB`, '#ccbb44');
y += 20;
text(10, y, caption, 'fill="#555"');

writeFileSync(
  'docs/images/performance.svg',
  `<svg xmlns="http://www.w3.org/2000/svg" width="780" height="${y + 16}" font-family="sans-serif" font-size="13">\n` +
    `<rect width="100%" height="100%" fill="white"/>\n${parts.join('\n')}\n</svg>\n`,
);
