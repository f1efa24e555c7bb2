import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { ApplyMutation } from '../../../src/targets/target.js';
import type { Postgres } from '../../support/postgres.js';
import { remove, upsert } from '../postgres/apply-fixture.js';
import { constrainedSchema } from '../postgres/constraints/schema.js';
import { readState, restoreState } from '../postgres/constraints/state.js';
import { NAMES, type State } from './tables.js';
import type { Transaction } from './transactions.js';

/**
 * The source, whatever the targets: a real PostgreSQL with the same constraints, each checked as late as it can be, so that it takes every transaction that leads
 * from one valid state to another. Keeps which keys a transaction has touched, as a changefeed does: cascades included, and rows too
 * that are written without a difference.
 */
export interface Source {
  /** Runs a transaction as that of timestamp `n`; null when the source refuses it. */
  run(transaction: Transaction, n: number): Promise<readonly ApplyMutation[] | null>;
  state(): Promise<State>;
  restore(state: State): Promise<void>;
  close(): Promise<void>;
}

const TOUCHED = `
  CREATE TABLE touched (name text, key jsonb, PRIMARY KEY (name, key));
  CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      IF TG_OP <> 'INSERT' THEN
        INSERT INTO touched SELECT TG_TABLE_NAME, (SELECT jsonb_agg(to_jsonb(OLD) -> k ORDER BY place) FROM unnest(TG_ARGV) WITH ORDINALITY AS key(k, place))
        ON CONFLICT DO NOTHING;
      END IF;
      IF TG_OP <> 'DELETE' THEN
        INSERT INTO touched SELECT TG_TABLE_NAME, (SELECT jsonb_agg(to_jsonb(NEW) -> k ORDER BY place) FROM unnest(TG_ARGV) WITH ORDINALITY AS key(k, place))
        ON CONFLICT DO NOTHING;
      END IF;
      RETURN NULL;
    END $$;
  ${NAMES.map(
    ({ name, keys }) =>
      `CREATE TRIGGER touch AFTER INSERT OR UPDATE OR DELETE ON ${name} FOR EACH ROW EXECUTE FUNCTION touch(${keys.join(', ')})`,
  ).join('; ')}`;

/** What the transaction has left of each key that it touched. */
const CHANGES = NAMES.map(
  ({ name, number, keys }) =>
    `SELECT ${number} AS "table", key::text AS key, row_to_json(t)::text AS after
     FROM touched LEFT JOIN ${name} AS t ON jsonb_build_array(${keys.map((key) => `t.${key}`).join(', ')}) = touched.key WHERE touched.name = '${name}'`,
).join(' UNION ALL ');

interface Change {
  readonly table: number;
  readonly key: string;
  readonly after: string | null;
}

/** In a database of its own. */
export async function createSource(postgres: Postgres): Promise<Source> {
  const database = `source_${randomUUID().replaceAll('-', '')}`;
  const maintenance = new pg.Client({ connectionString: postgres.url() });
  await maintenance.connect();
  await maintenance.query(`CREATE DATABASE ${database}`);
  await maintenance.end();
  const client = new pg.Client({ connectionString: postgres.url(database) });
  await client.connect();
  await client.query(`${constrainedSchema('late')}; ${TOUCHED}`);
  return {
    async run(transaction, n) {
      try {
        const results = await client.query<Change>(
          ['BEGIN', ...transaction, 'COMMIT', CHANGES, 'DELETE FROM touched'].join(';\n'),
        );
        // One result a statement, which the driver's types do not know.
        const { rows } = (results as unknown as pg.QueryResult<Change>[]).at(-2) ?? { rows: [] };
        return rows.map(({ table, key, after }) =>
          after === null ? remove(n, table, keyText(key)) : upsert(n, table, keyText(key), after),
        );
      } catch (error) {
        if (!(error instanceof pg.DatabaseError && error.code?.startsWith('23'))) throw error;
        await client.query('ROLLBACK');
        return null;
      }
    },
    state: () => readState(client),
    restore: (state) => restoreState(client, state),
    close: () => client.end(),
  };
}

/** As the stage hands it out: a decimal without trailing zeros. */
function keyText(jsonb: string): string {
  return jsonb.replace(/(\.\d*?)0+(?=[,\]])/, '$1');
}
