import { startPostgresBench } from '../targets/postgres/bench.js';
import { immediateSuite } from './immediate-suite.js';

immediateSuite(startPostgresBench);
