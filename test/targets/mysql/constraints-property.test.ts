import { after, before, test } from 'node:test';
import { startMariadb, type Mariadb } from '../../support/mariadb.js';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { followTheSource, SEED } from '../constraints/property.js';
import { createTarget, type TargetKind } from './constraints/targets.js';

let mariadb: Mariadb;
/** The source's model. */
let postgres: Postgres;
before(async () => {
  [mariadb, postgres] = await Promise.all([startMariadb(), startPostgres({ settings: { fsync: 'off' } })]);
});
after(() => Promise.all([mariadb.stop(), postgres.stop()]));

const KINDS: readonly TargetKind[] = [
  { acting: 'none', enforcementOff: false },
  { acting: 'keys', enforcementOff: false },
  { acting: 'all', enforcementOff: false },
  { acting: 'all', enforcementOff: true },
];

test(`random transactions under every constraint: the target is the source at the end of each window (FAILBACK_SEED=${SEED})`, async (t) => {
  const targets = await Promise.all(KINDS.map((kind) => createTarget(t, mariadb, kind)));
  await followTheSource(t, postgres, targets);
});
