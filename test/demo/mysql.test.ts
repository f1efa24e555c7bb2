import test from 'node:test';
import { MYSQL } from '../support/mariadb.js';
import { wholeDemo } from './whole-demo.js';

test(
  'the demo with MySQL as the old database goes from its start to its end, and leaves nothing',
  { timeout: 300_000 },
  (t) => wholeDemo(t, '--target', MYSQL.name),
);
