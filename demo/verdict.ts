import { count } from './count.js';

/** What the reader of the bank's total has seen on the old database. */
export interface ReaderFigures {
  readonly reads: number;
  /** How often the number of transfers had changed from one read to the next. */
  readonly states: number;
  /** Totals that were not the bank's; the first few. */
  readonly wrongTotals: readonly string[];
}

/** A table after the end, by the demo's own count and checksum. */
export interface TableEvidence {
  readonly table: string;
  /** On the source. */
  readonly rows: number;
  /** The same rows on the target. */
  readonly equal: boolean;
}

/** What the demo has seen from beginning to end. */
export interface Evidence {
  readonly outcome: string;
  readonly rowsCompared: number | null;
  readonly reader: ReaderFigures;
  readonly killed: { readonly pid: number; readonly commandLine: string; readonly appliedMeanwhile: number };
  readonly workerPid: number;
  /** Of the worker that came back. */
  readonly successorPid: number;
  /** Rows that the changefeed sent again to the worker that came back. */
  readonly redelivered: number;
  /** Rows first seen after they were declared resolved. */
  readonly late: number;
  readonly forwardExitCode: number | null;
  readonly transactions: number;
  readonly tables: readonly TableEvidence[];
  /** Why the application's first insert on the old database fails; null: it works. */
  readonly insertError: string | null;
}

export const READS_WANTED = 100;

/** The command line of node running the worker's main file. */
export function isWorker(commandLine: string): boolean {
  const [program = '', ...args] = commandLine.split(' ');
  return /(^|\/)node$/.test(program) && args.some((arg) => arg.endsWith('src/worker/main.ts'));
}

/** The checks that failed, each in words with the value found; empty: the demo has shown what it says. Pure. */
export function judge(evidence: Evidence): string[] {
  const { reader, killed, tables } = evidence;
  const differing = tables.filter(({ equal }) => !equal).map(({ table }) => table);
  const rows = rowsOf(tables);
  const checks: readonly (readonly [boolean, string])[] = [
    [evidence.outcome === 'finished', `the run ended as "${evidence.outcome}", not as "finished"`],
    [(evidence.rowsCompared ?? 0) > 0, `finish compared ${evidence.rowsCompared ?? 'no'} rows`],
    [
      (evidence.rowsCompared ?? 0) === 0 || evidence.rowsCompared === rows,
      `finish compared ${evidence.rowsCompared ?? 'no'} rows, and the tables have ${rows}`,
    ],
    [differing.length === 0, `the rows of ${differing.join(', ')} differ between the sides`],
    [reader.wrongTotals.length === 0, `the reader saw another total of the bank: ${reader.wrongTotals.join(', ')}`],
    [reader.reads >= READS_WANTED, `the reader made ${reader.reads} reads, and ${READS_WANTED} are needed`],
    [reader.states > 1, 'the reader saw the bank in one state only: nothing moved while it read'],
    [
      killed.pid === evidence.workerPid && isWorker(killed.commandLine),
      `the process killed (${killed.pid}: ${killed.commandLine || 'gone'}) was not the worker (${evidence.workerPid})`,
    ],
    [killed.appliedMeanwhile > 0, 'no rows were being applied when the worker was killed'],
    [evidence.redelivered > 0, 'nothing was delivered again after the worker was killed'],
    [evidence.late === 0, `${evidence.late} rows came after they had been declared resolved`],
    [evidence.transactions > 0, 'the application on CockroachDB has written nothing'],
    [
      evidence.forwardExitCode === 0,
      `the forward replicator ended with exit code ${evidence.forwardExitCode ?? 'none'}, expected 0`,
    ],
    [
      evidence.insertError === null,
      `the application's first insert on the old database fails: ${evidence.insertError ?? ''}`,
    ],
  ];
  return checks.flatMap(([holds, failure]) => (holds ? [] : [failure]));
}

/** What the demo has shown, in figures, for the terminal. Pure. */
export function renderEvidence(evidence: Evidence, total: string): string {
  const { reader, killed, successorPid, redelivered, tables, transactions } = evidence;
  const seen = reader.wrongTotals.length === 0 ? `always ${total}` : `also ${reader.wrongTotals.join(', ')}`;
  const width = Math.max(...tables.map(({ table }) => table.length));
  const rows: readonly (readonly [string, string])[] = [
    ['rows', `${count(evidence.rowsCompared ?? 0)} compared on both sides by the runbook; counted again by the demo:`],
    ...tables.map(({ table, rows, equal }): [string, string] => [
      '',
      `${table.padEnd(width)} ${count(rows).padStart(7)}  ${equal ? 'equal' : 'DIFFERENT'}`,
    ]),
    ['traffic', `${count(transactions, 'transaction')} on CockroachDB`],
    ['bank', `${count(reader.reads, 'read')} of the total on the old database meanwhile: ${seen}`],
    [
      'killed',
      `the worker, process ${killed.pid}, by SIGKILL while rows were being applied; process ${successorPid} took over`,
    ],
    ['redelivered', `${count(redelivered, 'row')} came again to that one, and both sides are as above`],
  ];
  return ['What this run has shown:', ...rows.map(([name, words]) => `  ${name.padEnd(12)} ${words}`), ''].join('\n');
}

function rowsOf(tables: readonly TableEvidence[]): number {
  return tables.reduce((sum, { rows }) => sum + rows, 0);
}
