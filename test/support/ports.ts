export { freePort } from '../../demo/parts/free-port.js';
