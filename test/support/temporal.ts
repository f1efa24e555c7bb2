export { startTemporal, type Temporal, type TemporalOptions } from '../../demo/parts/temporal.js';
