import type { TestContext } from 'node:test';
import { formatHlc } from '../../../../src/domain/hlc.js';
import type { ApplySession } from '../../../../src/targets/target.js';
import type { Mariadb } from '../../../support/mariadb.js';
import { chosen, SETTINGS, type Target } from '../../constraints/property.js';
import { TABLES } from '../../constraints/tables.js';
import { at, createApplyFixture, windowOf } from '../apply-fixture.js';
import { constrainedSchema, type Acting } from './schema.js';
import { readState, restoreState, spelledHere } from './state.js';

export interface TargetKind {
  readonly acting: Acting;
  readonly enforcementOff: boolean;
}

export async function createTarget(t: TestContext, mariadb: Mariadb, kind: TargetKind): Promise<Target> {
  const { acting, enforcementOff } = kind;
  const fixture = await createApplyFixture(t, mariadb, constrainedSchema(acting), TABLES);
  const sessions: ApplySession[] = [];
  for (const settings of SETTINGS) sessions.push(await fixture.open({ enforcementOff, ...settings }));
  return {
    kind: `foreign keys that act: ${acting}, enforcement ${enforcementOff ? 'off' : 'on'}`,
    apply: (random, from, to, changes) =>
      chosen(sessions, random, (session) => session.apply(fixture.token, windowOf(from, to, changes))),
    state: () => readState(fixture.admin),
    expected: spelledHere,
    async restore(state, n) {
      await restoreState(fixture.admin, spelledHere(state));
      await fixture.admin.query('UPDATE failback_checkpoint SET applied = ?', [formatHlc(at(n))]);
    },
  };
}
