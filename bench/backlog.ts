import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { startPostgres } from '../demo/parts/postgres.js';
import type { BacklogOrder, BacklogReport } from '../test/apply/backlog-child.js';
import { createApplyFixture } from '../test/targets/postgres/apply-fixture.js';

/**
 * A backlog of 1, 2 and 5 million tiny rows under one resolved timestamp, each in a process of its own over a filled stage: rows/s to visible on the
 * target, and the memory of the process. The cost of a row must not grow with the backlog: the ratio is to the first line.
 * Usage: node --import tsx bench/backlog.ts [millions ...]
 */
const sizes = process.argv.slice(2).map(Number);
const MILLIONS = sizes.length > 0 ? sizes : [1, 2, 5];
const CHILD = fileURLToPath(new URL('../test/apply/backlog-child.ts', import.meta.url));

const postgres = await startPostgres({ settings: { max_wal_size: '4GB' } });
try {
  console.log('backlog: windows of 20,000 rows, statements of 5,000; memory in MB of /proc/self/status');
  console.log('    rows   staged/s  applied/s  x first  VmHWM  RssAnon  RssFile');
  let first: number | null = null;
  for (const millions of MILLIONS) {
    const { rows, report } = await measure(millions * 1_000_000);
    const rate = (rows / report.applyingMs) * 1_000;
    first ??= rate;
    const { VmHWM, RssAnon, RssFile } = report.memory;
    const cells = [rows, Math.round((rows / report.stagingMs) * 1_000), Math.round(rate)].map((n) =>
      n.toLocaleString('en'),
    );
    console.log(
      [
        cells[0]?.padStart(9),
        cells[1]?.padStart(9),
        cells[2]?.padStart(10),
        (rate / first).toFixed(2).padStart(8),
      ].join(' ') + [VmHWM, RssAnon, RssFile].map((mb) => String(mb).padStart(8)).join(''),
    );
  }
} finally {
  await postgres.stop();
}

async function measure(rows: number): Promise<{ readonly rows: number; readonly report: BacklogReport }> {
  const stageDir = mkdtempSync(path.join(tmpdir(), 'failback-bench-'));
  const ends: (() => unknown)[] = [];
  const t = { after: (end: () => unknown) => void ends.push(end) } as Parameters<typeof createApplyFixture>[0];
  try {
    const fixture = await createApplyFixture(t, postgres, 'CREATE TABLE t (id int8 PRIMARY KEY, v int)', ['t']);
    const order: BacklogOrder = {
      stageDir,
      session: fixture.options({ flushSize: 5_000 }),
      token: fixture.token,
      rows,
      each: 1,
    };
    const { status, stdout, stderr } = spawnSync(process.execPath, ['--import', 'tsx', CHILD, JSON.stringify(order)], {
      encoding: 'utf8',
      maxBuffer: 2 ** 26,
    });
    if (status !== 0) throw new Error(stderr.slice(-2_000));
    return { rows, report: JSON.parse(stdout) as BacklogReport };
  } finally {
    for (const end of ends) await end();
    rmSync(stageDir, { recursive: true });
  }
}
