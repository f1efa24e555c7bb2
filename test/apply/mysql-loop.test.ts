import { startMysqlBench } from '../targets/mysql/bench.js';
import { loopSuite } from './loop-suite.js';

// FAILBACK_TEST_WITHOUT leaves this file out by these words: test/support/mariadb.js.
loopSuite(startMysqlBench);
