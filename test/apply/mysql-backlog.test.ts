import { after, before } from 'node:test';
import type { TargetBench } from '../targets/bench.js';
import { startMysqlBench } from '../targets/mysql/bench.js';
import { killedBacklogSuite } from './backlog-suite.js';

// FAILBACK_TEST_WITHOUT leaves this file out by these words: test/support/mariadb.js.
let bench: TargetBench;
before(async () => {
  bench = await startMysqlBench();
});
after(() => bench.stop());

killedBacklogSuite(() => bench, 100_000);
