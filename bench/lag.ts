import { startRunStack } from '../test/support/run.js';
import { MYSQL } from '../test/support/target/mysql.js';
import { POSTGRES } from '../test/support/target/postgres.js';
import type { Target } from '../test/support/target/target.js';
import { until } from '../test/support/until.js';
import { readBenchArguments } from './arguments.js';

// From the commit at the source to the row visible on the target: the whole chain, with Temporal, the simulator and both databases on the
// same cores. 5,000 rows/s in 50 transactions, resolved='250ms'. `--target mysql` for another target.
const ROWS_A_SECOND = 5_000;
const TRANSACTIONS_A_SECOND = 50;
const WARM_UP_S = 5;
const SECONDS = Number(process.env.FAILBACK_BENCH_SECONDS ?? 30);
const ROWS = ROWS_A_SECOND / TRANSACTIONS_A_SECOND;
const LOOK_EVERY_MS = 5;

const { dialect } = readBenchArguments();
const at = await startRunStack({ dialect: { postgres: POSTGRES, mysql: MYSQL }[dialect] });
try {
  await at.source.query('CREATE TABLE lags (id INT PRIMARY KEY, batch INT, note STRING)');
  await at.target.query(`CREATE TABLE lags (id int8 PRIMARY KEY, batch int8, note ${at.target.types.text})`);
  const run = await at.start('bench-lag', 'lags', { compareAtCursor: false });
  await run.replicating();

  /** When the transaction of each batch was committed, and seen. */
  const committed: number[] = [];
  const seen: number[] = [];
  const all = TRANSACTIONS_A_SECOND * (WARM_UP_S + SECONDS);
  const looking = look(at.target, seen, all);
  const start = performance.now();
  for (let batch = 0; batch < all; batch++) {
    await sleepUntil(start + (batch * 1000) / TRANSACTIONS_A_SECOND);
    await at.source.query(
      `INSERT INTO lags SELECT $1 + n, $2, 'some words about row ' || n FROM generate_series(0, ${ROWS - 1}) AS n`,
      [batch * ROWS, batch],
    );
    committed[batch] = performance.now();
  }
  const tookMs = performance.now() - start;
  await looking;

  const first = TRANSACTIONS_A_SECOND * WARM_UP_S;
  const lags = committed.slice(first).map((commit, i) => (seen[first + i] ?? Infinity) - commit);
  lags.sort((a, b) => a - b);
  const ms = (quantile: number): string =>
    `${Math.round(lags[Math.min(lags.length - 1, Math.floor(lags.length * quantile))] ?? NaN)} ms`;
  const sent = Math.round((all * ROWS) / (tookMs / 1000)).toLocaleString('en');
  console.log(
    `${dialect}: ${sent} rows/s in transactions of ${ROWS} rows for ${SECONDS} s, resolved='250ms', everything on this machine`,
  );
  console.log(`commit to visible: p50 ${ms(0.5)}, p99 ${ms(0.99)}, p99.9 ${ms(0.999)}, longest ${ms(1)}`);
  await run.signal('rollback');
  await run.ending();
} finally {
  await at.stop();
}

/** Notes when each batch is first seen on the target, until the last one is. */
async function look(target: Target, seen: number[], all: number): Promise<void> {
  let next = 0;
  await until(
    'the last transaction on the target',
    async () => {
      const { rows } = await target.query<{ last: string | null }>('SELECT max(id) AS last FROM lags');
      const now = performance.now();
      const upTo = rows[0]?.last ? Math.floor(Number(rows[0].last) / ROWS) : -1;
      while (next <= upTo) seen[next++] = now;
      return next === all;
    },
    { timeoutMs: 600_000, everyMs: LOOK_EVERY_MS },
  );
}

function sleepUntil(time: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.max(0, time - performance.now())));
}
