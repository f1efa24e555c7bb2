import { startPostgresBench } from '../targets/postgres/bench.js';
import { largeTimestampSuite } from './large-timestamp-suite.js';

largeTimestampSuite(startPostgresBench);
