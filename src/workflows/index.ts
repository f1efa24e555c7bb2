export { failback, preflight } from './failback.js';
export { stream } from './stream.js';
