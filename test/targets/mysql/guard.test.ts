import { guardSuite } from '../guard-suite.js';
import { startMysqlBench } from './bench.js';

// FAILBACK_TEST_WITHOUT leaves this file out by these words: test/support/mariadb.js.
guardSuite(startMysqlBench);
