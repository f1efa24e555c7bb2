import { startMysqlBench } from '../targets/mysql/bench.js';
import { groupsSuite } from './groups-suite.js';

// FAILBACK_TEST_WITHOUT leaves this file out by these words: test/support/mariadb.js.
groupsSuite(startMysqlBench);
