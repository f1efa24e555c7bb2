import type { TestContext } from 'node:test';
import pg from 'pg';
import type { AttemptOptions } from '../../src/apply/attempt.js';
import { formatHlc } from '../../src/domain/hlc.js';
import type { StreamPlan } from '../../src/domain/table.js';
import type { Stage } from '../../src/staging/stage.js';
import { createTableSql } from '../../src/targets/postgres/checkpoint-ddl.js';
import { openPostgresCheckpointStore } from '../../src/targets/postgres/checkpoint-store.js';
import { openPostgresApplySession, type PostgresApplyOptions } from '../../src/targets/postgres/session.js';
import type { ApplyMutation, ApplySession, CheckpointStore } from '../../src/targets/target.js';
import type { Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { at, planOf, upsert } from '../targets/postgres/apply-fixture.js';
import { createAttemptFixture, type AttemptFixture, type RunningAttempt } from './attempt-fixture.js';

/** Two pairs of tables, parent and child; every write of a row is noted on the target. */
const DDL = `
  CREATE TABLE written (tab text, id int);
  CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO written VALUES (TG_TABLE_NAME, NEW.id); RETURN NEW; END $$;
  ${['a', 'b']
    .map(
      (pair) => `
  CREATE TABLE ${pair}_parent (id int PRIMARY KEY, total int);
  CREATE TABLE ${pair}_child (id int PRIMARY KEY, parent int NOT NULL REFERENCES ${pair}_parent, v int CHECK (v < 1000));
  CREATE TRIGGER noted AFTER INSERT OR UPDATE ON ${pair}_child FOR EACH ROW EXECUTE FUNCTION note();`,
    )
    .join('')}`;

const TABLES = ['a_parent', 'a_child', 'b_parent', 'b_child'];
/** Numbers of the tables in the plan. */
export const [A_PARENT, A_CHILD, B_PARENT, B_CHILD] = [0, 1, 2, 3] as const;

/** All tables as one. */
export const ONE: StreamPlan = planOf(TABLES);
/** Each pair by itself. */
export const PAIRS: StreamPlan = grouped([0, 0, 1, 1]);
/** The other way round: the same tables under other numbers. */
export const PAIRS_TURNED: StreamPlan = grouped([1, 1, 0, 0]);

function grouped(groups: readonly number[]): StreamPlan {
  return planOf(TABLES).map((table, i) => ({ ...table, group: groups[i] ?? 0 }));
}

export interface GroupsFixture extends AttemptFixture {
  /** The checkpoint store of the run. */
  readonly store: CheckpointStore;
  /** An attempt that applies by groups unless the plan says otherwise. `replace` changes what sessions of a group (null: the stream's) do. */
  begin(stage: Stage, over?: Partial<AttemptOptions>, sessions?: SessionChanges): RunningAttempt;
  /** `group:applied` of the groups' rows, applied as the number of `at`. */
  groups(): Promise<string>;
  /** Waits until the groups' rows are so, and the stream's row, where it is given. */
  awaitApplied(groups: string, stream?: number): Promise<void>;
  /** A transaction of somebody else's, ended by the returned function. */
  lock(sql: string): Promise<() => Promise<void>>;
}

export interface SessionChanges {
  readonly options?: Partial<PostgresApplyOptions>;
  readonly replace?: (session: ApplySession, group: number | null) => Partial<ApplySession>;
}

export async function createGroupsFixture(t: TestContext, postgres: Postgres): Promise<GroupsFixture> {
  const fixture = await createAttemptFixture(t, postgres, DDL, TABLES);
  for (const statement of createTableSql('_failback', 'checkpoint_group')) await fixture.admin.query(statement);
  const store = await openPostgresCheckpointStore(
    { connectionString: postgres.url(fixture.database), applicationName: 'failback test' },
    '_failback',
  );
  t.after(() => store.close());
  const groups = async (): Promise<string> =>
    (
      await fixture.rows(
        'SELECT group_number::text, applied::text FROM _failback.checkpoint_group ORDER BY group_number',
      )
    )
      .map(([number, applied]) => `${number}:${numberOf(applied ?? '')}`)
      .join(' ');
  return {
    ...fixture,
    store,
    groups,
    awaitApplied: async (wanted, stream) => {
      await until(`groups ${wanted}, stream ${stream ?? 'anywhere'}`, async () => {
        const found = `${await groups()} / ${numberOf(await fixture.applied())}`;
        if (stream === undefined ? found.startsWith(`${wanted} /`) : found === `${wanted} / ${stream}`) return true;
        throw new Error(`found ${found}`);
      });
    },
    async lock(sql) {
      const other = new pg.Client({ connectionString: postgres.url(fixture.database) });
      other.on('error', () => undefined);
      await other.connect();
      const end = async (): Promise<void> => {
        await other.query('ROLLBACK').catch(() => undefined);
        await other.end();
      };
      t.after(end);
      await other.query(`BEGIN; ${sql}`);
      return end;
    },
    begin(stage, over = {}, { options = {}, replace = () => ({}) } = {}) {
      return fixture.start(stage, {
        plan: PAIRS,
        openSession: async (group) => {
          const session = await openPostgresApplySession(
            fixture.options({ connectTimeoutMs: 2000, ...options, ...(group === undefined ? {} : { group }) }),
          );
          return { ...session, ...replace(session, group?.number ?? null) };
        },
        ...over,
      });
    },
  };
}

const numbers = new Map<string, number>(
  Array.from({ length: 5_000 }, (_, n): [string, number] => [formatHlc(at(n)), n]),
);

/** The n of `at(n)`; -1: of none. */
export function numberOf(applied: string): number {
  return numbers.get(applied) ?? -1;
}

/** A parent and its one child, both new at the n-th timestamp. */
export function family(n: number, pair: 'a' | 'b', id = n): readonly ApplyMutation[] {
  const [parent, child] = pair === 'a' ? [A_PARENT, A_CHILD] : [B_PARENT, B_CHILD];
  return [
    upsert(n, parent, `[${id}]`, `{"id": ${id}, "total": 1}`),
    upsert(n, child, `[${id}]`, `{"id": ${id}, "parent": ${id}, "v": 1}`),
  ];
}
