/** What the reader of the bank's total has seen on the old database. */
export interface ReaderFigures {
  readonly reads: number;
  /** How often the number of transfers had changed from one read to the next. */
  readonly states: number;
  /** Totals that were not the bank's; the first few. */
  readonly wrongTotals: readonly string[];
}

/** What the demo has seen from beginning to end. */
export interface Evidence {
  readonly outcome: string;
  readonly rowsCompared: number | null;
  readonly reader: ReaderFigures;
  readonly killed: { readonly pid: number; readonly commandLine: string; readonly appliedMeanwhile: number };
  readonly workerPid: number;
  /** Rows that the changefeed sent again to the worker that came back. */
  readonly redelivered: number;
  /** Rows first seen after they were declared resolved. */
  readonly late: number;
  readonly forwardExitCode: number | null;
  readonly transactions: number;
  /** Tables whose rows differ by the demo's own count and checksum, after the end. */
  readonly differing: readonly string[];
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
  const { reader, killed } = evidence;
  const checks: readonly (readonly [boolean, string])[] = [
    [evidence.outcome === 'finished', `the run ended as "${evidence.outcome}", not as "finished"`],
    [(evidence.rowsCompared ?? 0) > 0, `finish compared ${evidence.rowsCompared ?? 'no'} rows`],
    [evidence.differing.length === 0, `the rows of ${evidence.differing.join(', ')} differ between the sides`],
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
