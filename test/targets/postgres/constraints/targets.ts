import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { Postgres } from '../../../support/postgres.js';
import type { ApplySession } from '../../../../src/targets/target.js';
import { formatHlc } from '../../../../src/domain/hlc.js';
import { chosen, SETTINGS, type Target } from '../../constraints/property.js';
import { TABLES } from '../../constraints/tables.js';
import { at, createApplyFixture, windowOf } from '../apply-fixture.js';
import { constrainedSchema, PLAN, TRIGGERS, type Checking } from './schema.js';
import { readState, restoreState } from './state.js';

export interface TargetKind {
  readonly checking: Checking;
  /** With the privilege for session_replication_role, and with triggers; without them else, as preflight demands. */
  readonly enforcementOff: boolean;
}

export async function createTarget(t: TestContext, postgres: Postgres, kind: TargetKind): Promise<Target> {
  const { checking, enforcementOff } = kind;
  const ddl = `${constrainedSchema(checking)} ${enforcementOff ? TRIGGERS : ''}`;
  const fixture = await createApplyFixture(t, postgres, ddl, TABLES);
  const role = `applier_${randomUUID().slice(0, 8)}`;
  await fixture.admin.query(`CREATE ROLE ${role} LOGIN; GRANT USAGE ON SCHEMA _failback, public TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA _failback, public TO ${role}`);
  const connectionString = postgres.url(fixture.database, enforcementOff ? 'postgres' : role);
  const sessions: ApplySession[] = [];
  for (const settings of SETTINGS) {
    sessions.push(await fixture.open({ plan: PLAN, connectionString, enforcementOff, ...settings }));
  }
  return {
    kind: `constraints ${checking}, enforcement ${enforcementOff ? 'off' : 'on'}`,
    apply: (random, from, to, changes) =>
      chosen(sessions, random, (session) => session.apply(fixture.token, windowOf(from, to, changes))),
    expected: (state) => state,
    state: () => readState(fixture.admin),
    async restore(state, n) {
      await restoreState(fixture.admin, state);
      await fixture.admin.query('UPDATE _failback.checkpoint SET applied = $1', [formatHlc(at(n))]);
    },
  };
}
