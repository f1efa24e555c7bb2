import { after, before, test } from 'node:test';
import { startPostgres, type Postgres } from '../../support/postgres.js';
import { followTheSource, SEED } from '../constraints/property.js';
import { createTarget, type TargetKind } from './constraints/targets.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

const KINDS: readonly TargetKind[] = [
  { checking: 'immediate', enforcementOff: false },
  { checking: 'mixed', enforcementOff: false },
  { checking: 'deferrable', enforcementOff: false },
  { checking: 'immediate', enforcementOff: true },
  { checking: 'mixed', enforcementOff: true },
];

test(`random transactions under every constraint: the target is the source at the end of each window (FAILBACK_SEED=${SEED})`, async (t) => {
  const targets = await Promise.all(KINDS.map((kind) => createTarget(t, postgres, kind)));
  await followTheSource(t, postgres, targets);
});
