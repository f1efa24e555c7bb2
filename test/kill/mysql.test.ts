import { after, before, test } from 'node:test';
import { MYSQL } from '../support/mariadb.js';
import { frozen } from './cases/frozen.js';
import { untold } from './cases/untold.js';
import { openScene, type Scene } from './scene.js';

let at: Scene;
before(async () => {
  at = await openScene({ dialect: MYSQL });
});
after(() => at.stop());

test('killed with a window committed and nobody told: nothing is applied twice', () => untold(at));

test('a worker frozen beyond its time-out and thawed again takes nothing back', () => frozen(at));
