import { parseArgs } from 'node:util';
import { startMysqlBench } from './mysql.js';
import { startPostgresBench } from './postgres.js';
import type { BenchTarget } from './target.js';

const STARTS = { postgres: startPostgresBench, mysql: startMysqlBench };
export type BenchDialect = keyof typeof STARTS;

export interface BenchArguments {
  readonly dialect: BenchDialect;
  readonly names: readonly string[];
  /** The same words, as numbers. */
  readonly numbers: readonly number[];
}

/** `--target <dialect>`, and the words beside it. */
export function readBenchArguments(): BenchArguments {
  const { values, positionals } = parseArgs({
    options: { target: { type: 'string', default: 'postgres' } },
    allowPositionals: true,
  });
  const dialect = Object.keys(STARTS).find((name): name is BenchDialect => name === values.target);
  if (dialect === undefined)
    throw new Error(`--target ${values.target}: known are ${Object.keys(STARTS).join(' and ')}`);
  return { dialect, names: positionals, numbers: positionals.map(Number) };
}

/** An own server of that dialect. */
export function startBench(dialect: BenchDialect): Promise<BenchTarget> {
  return STARTS[dialect]();
}
