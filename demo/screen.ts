import { openIncidents } from '../src/domain/incident.js';
import { PHASES, type Phase } from '../src/domain/phases.js';
import type { RunbookStatus } from '../src/domain/status.js';
import { count } from './count.js';
import type { Figures } from './figures.js';
import type { ReaderFigures } from './verdict.js';
import { wrap } from './wrap.js';

export interface Progress {
  readonly status: RunbookStatus | null;
  readonly figures: Figures;
  readonly reader: ReaderFigures;
  readonly transactions: number;
  readonly worker: { readonly pid: number; readonly running: boolean };
  readonly ui: string | null;
  readonly elapsedMs: number;
}

/** The terminal: lines that stay, and below them one block that is drawn anew, or now and then a line where there is no terminal. */
export interface Screen {
  /** Prose: broken between words where the terminal ends. */
  say(text: string): void;
  /** What a person copies: as it is. */
  print(text: string): void;
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
  const width = (): number => output.columns || WIDTH;
  const draw = (lines: readonly string[]): void => {
    const up = block.length === 0 ? '' : `\x1b[${block.length}A\x1b[0J`;
    const fitted = lines.map((line) => fit(line, width() - 1));
    output.write(`${up}${fitted.map((line) => `${line}\n`).join('')}`);
    block = fitted;
  };
  const print = (text: string): void => {
    const below = block;
    draw([]);
    output.write(`${text}\n`);
    draw(below);
  };
  return {
    print,
    say: (text) => print(live ? wrap(text, width() - 1) : text),
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
  const { status, figures, reader, transactions, worker, ui, elapsedMs } = progress;
  const incident = openIncidents(status?.incidents ?? [])[0];
  const rows: readonly (readonly [string, string])[] = [
    ['phase', phaseWords(status)],
    ['time', `${Math.round(elapsedMs / 1_000)} s`],
    ['application', `${count(transactions, 'transaction')} on CockroachDB`],
    ['rows', `${count(figures.received)} received, ${count(figures.applied)} applied, ${count(figures.staged)} staged`],
    ['lag', lagWords(progress)],
    ['bank', bankWords(reader)],
    [
      'worker',
      worker.running ? `process ${worker.pid}` : `DEAD (process ${worker.pid}): CockroachDB keeps the rows meanwhile`,
    ],
    ...(incident === undefined ? [] : [['incident', `${incident.type}: ${incident.cause}`] as const]),
    ...(ui === null ? [] : [['Temporal UI', ui] as const]),
  ];
  return ['', ...rows.map(([name, words]) => `  ${name.padEnd(12)} ${words}`)];
}

function renderLine(progress: Progress): string {
  const { status, figures, reader, worker, elapsedMs } = progress;
  const time = `${Math.round(elapsedMs / 1_000)} s`.padStart(5);
  const rows = `rows ${count(figures.received)} received, ${count(figures.applied)} applied`;
  const dead = worker.running ? '' : '; the worker is dead';
  return `${time}  ${phaseWords(status)}; ${rows}; lag ${lagWords(progress)}; bank ${bankWords(reader)}${dead}`;
}

/** Those that a run goes through to its finish. */
const WALK: readonly Phase[] = PHASES.filter(
  (phase) => phase !== 'paused' && phase !== 'rollback' && phase !== 'ended',
);

function phaseWords(status: RunbookStatus | null): string {
  if (status === null) return 'waiting for the first answer of the run';
  const { phase, waitingFor } = status;
  return `${phase}${placeOf(phase)}${waitingFor === null ? '' : `, waits for ${waitingFor}`}`;
}

function placeOf(phase: Phase): string {
  const at = WALK.indexOf(phase);
  return at < 0 ? '' : ` (${at + 1} of ${WALK.length})`;
}

function lagWords({ status, figures: { lagMs } }: Progress): string {
  if (status?.phase === 'ended') return 'none: the run has ended';
  return lagMs === null ? 'not known yet' : `${(lagMs / 1_000).toFixed(1)} s`;
}

function bankWords({ reads, states, wrongTotals }: ReaderFigures): string {
  const total = wrongTotals[0] === undefined ? 'always the same total' : `ANOTHER TOTAL: ${wrongTotals[0]}`;
  return `${count(reads, 'read')}, ${count(states, 'state')}, ${total}`;
}

function fit(line: string, width: number): string {
  const one = line.replaceAll(/\s*\n\s*/g, ' ');
  return one.length <= width ? one : `${one.slice(0, width - 1)}…`;
}
