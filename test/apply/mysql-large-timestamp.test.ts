import { startMysqlBench } from '../targets/mysql/bench.js';
import { largeTimestampSuite } from './large-timestamp-suite.js';

// FAILBACK_TEST_WITHOUT leaves this file out by these words: test/support/mariadb.js.
largeTimestampSuite(startMysqlBench);
