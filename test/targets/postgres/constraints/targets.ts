import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import type { Postgres } from '../../../support/postgres.js';
import type { ApplyMutation, ApplySession, AppliedFigures } from '../../../../src/targets/target.js';
import { formatHlc } from '../../../../src/domain/hlc.js';
import { at, createApplyFixture, windowOf } from '../apply-fixture.js';
import { constrainedSchema, PLAN, TABLES, TRIGGERS, type Checking } from './schema.js';
import { readState, restoreState, type State } from './source.js';
import type { Random } from './transactions.js';

/** A target of one kind, and what applies to it. */
export interface Target {
  readonly kind: string;
  /** Applies a window with one of the settings that do not change its result. */
  apply(random: Random, from: number, to: number, changes: readonly ApplyMutation[]): Promise<AppliedFigures>;
  state(): Promise<State>;
  /** As it was after `at(n)`. */
  restore(state: State, n: number): Promise<void>;
}

export interface TargetKind {
  readonly checking: Checking;
  /** With the privilege for session_replication_role, and with triggers; without them else, as preflight demands. */
  readonly enforcementOff: boolean;
}

const SETTINGS = [7, 1000].flatMap((flushSize) =>
  [true, false].map((collapseMutations) => ({ flushSize, collapseMutations })),
);

export async function createTarget(t: TestContext, postgres: Postgres, kind: TargetKind): Promise<Target> {
  const { checking, enforcementOff } = kind;
  const ddl = `${constrainedSchema(checking)} ${enforcementOff ? TRIGGERS : ''}`;
  const fixture = await createApplyFixture(t, postgres, ddl, TABLES);
  const role = `applier_${randomUUID().slice(0, 8)}`;
  await fixture.admin.query(`CREATE ROLE ${role} LOGIN; GRANT USAGE ON SCHEMA _failback, public TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA _failback, public TO ${role}`);
  const connectionString = postgres.url(fixture.database, enforcementOff ? 'postgres' : role);
  const sessions: { readonly how: string; readonly session: ApplySession }[] = [];
  for (const settings of SETTINGS) {
    const session = await fixture.open({ plan: PLAN, connectionString, enforcementOff, ...settings });
    sessions.push({ how: JSON.stringify(settings), session });
  }
  return {
    kind: `constraints ${checking}, enforcement ${enforcementOff ? 'off' : 'on'}`,
    async apply(random, from, to, changes) {
      const chosen = sessions[Math.floor(random() * sessions.length)];
      if (chosen === undefined) throw new Error('no session');
      try {
        return await chosen.session.apply(fixture.token, windowOf(from, to, changes));
      } catch (error) {
        throw new Error(`with ${chosen.how}: ${String(error)}`, { cause: error });
      }
    },
    state: () => readState(fixture.admin),
    async restore(state, n) {
      await restoreState(fixture.admin, state);
      await fixture.admin.query('UPDATE _failback.checkpoint SET applied = $1', [formatHlc(at(n))]);
    },
  };
}
