import { openIncidents } from '../src/domain/incident.js';
import type { RunbookStatus } from '../src/domain/status.js';
import type { Figures } from './figures.js';
import type { ReaderFigures } from './verdict.js';

export interface Progress {
  readonly status: RunbookStatus | null;
  readonly figures: Figures;
  readonly reader: ReaderFigures;
  readonly transactions: number;
  readonly ui: string | null;
  readonly elapsedMs: number;
}

/** The terminal: lines that stay, and below them one block that is drawn anew, or now and then a line where there is no terminal. */
export interface Screen {
  say(line: string): void;
  show(progress: Progress): void;
  /** Leaves the block as it is. */
  close(): void;
}

interface Output {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const LINE_EVERY_MS = 5_000;
const DRAW_EVERY_MS = 200;
const WIDTH = 100;

export function openScreen(output: Output): Screen {
  const live = output.isTTY === true;
  let block: readonly string[] = [];
  let shownAt = -Infinity;
  let shownPhase = '';
  const draw = (lines: readonly string[]): void => {
    const up = block.length === 0 ? '' : `\x1b[${block.length}A\x1b[0J`;
    const fitted = lines.map((line) => line.slice(0, (output.columns || WIDTH) - 1));
    output.write(`${up}${fitted.map((line) => `${line}\n`).join('')}`);
    block = fitted;
  };
  return {
    say(line) {
      const below = block;
      draw([]);
      output.write(`${line}\n`);
      draw(below);
    },
    show(progress) {
      const now = performance.now();
      const phase = progress.status?.phase ?? '';
      if (live) {
        if (now - shownAt < DRAW_EVERY_MS) return;
        draw(renderBlock(progress));
      } else {
        if (phase === shownPhase && now - shownAt < LINE_EVERY_MS) return;
        output.write(`${renderLine(progress)}\n`);
      }
      shownAt = now;
      shownPhase = phase;
    },
    close() {
      block = [];
    },
  };
}

/** Pure. */
export function renderBlock(progress: Progress): string[] {
  const { status, figures, reader, transactions, ui } = progress;
  const incidents = openIncidents(status?.incidents ?? []).map((incident) => `${incident.type}: ${incident.cause}`);
  const rows: readonly (readonly [string, string])[] = [
    ['phase', phaseWords(status)],
    ['application', `${count(transactions)} transactions on CockroachDB`],
    [
      'rows',
      `${count(figures.received)} received, ${count(figures.applied)} applied, ${count(figures.staged)} in the stage`,
    ],
    ['lag', lagWords(figures.lagMs)],
    ['bank', bankWords(reader)],
    ...(incidents[0] === undefined ? [] : [['incident', incidents[0]] as const]),
    ...(ui === null ? [] : [['Temporal UI', ui] as const]),
  ];
  return ['', ...rows.map(([name, words]) => `  ${name.padEnd(12)} ${words}`)];
}

function renderLine({ status, figures, reader, elapsedMs }: Progress): string {
  const time = `${Math.round(elapsedMs / 1_000)} s`.padStart(5);
  return `${time}  ${phaseWords(status)}; rows received ${figures.received}, applied ${figures.applied}; lag ${lagWords(figures.lagMs)}; bank ${bankWords(reader)}`;
}

function phaseWords(status: RunbookStatus | null): string {
  if (status === null) return 'waiting for the first answer of the run';
  return status.waitingFor === null ? status.phase : `${status.phase}, waits for ${status.waitingFor}`;
}

function lagWords(lagMs: number | null): string {
  return lagMs === null ? 'not known yet' : `${(lagMs / 1_000).toFixed(1)} s`;
}

function bankWords({ reads, states, wrongTotals }: ReaderFigures): string {
  const total = wrongTotals[0] === undefined ? 'always the same total' : `ANOTHER TOTAL: ${wrongTotals[0]}`;
  return `${count(reads)} reads on the old database, ${count(states)} states, ${total}`;
}

function count(number: number): string {
  return number.toLocaleString('en-US');
}
