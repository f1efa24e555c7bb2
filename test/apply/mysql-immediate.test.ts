import { startMysqlBench } from '../targets/mysql/bench.js';
import { immediateSuite } from './immediate-suite.js';

// FAILBACK_TEST_WITHOUT leaves this file out by these words: test/support/mariadb.js.
immediateSuite(startMysqlBench);
