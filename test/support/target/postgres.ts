import pg from 'pg';
import { connect } from '../../../demo/pg-session.js';
import { SENTINEL_ON_TARGET } from '../../../demo/sentinel.js';
import { SHOP_ON_TARGET } from '../../../demo/shop/schema.js';
import type { Answer, Target, TestDialect } from './target.js';

export const POSTGRES: TestDialect = {
  name: 'postgres',
  async connect(url) {
    const client = await connect(url);
    const query: Target['query'] = async <R>(sql: string, values: readonly unknown[] = []): Promise<Answer<R>> => {
      const types = { getTypeParser: () => (text: string) => text };
      const answer = await client.query({ text: sql, types, ...(values.length === 0 ? {} : { values: [...values] }) });
      // Of several statements the last one counts.
      const { rows, rowCount } = [answer].flat().at(-1) as pg.QueryResult;
      return { rows: rows as R[], rowCount: rowCount ?? 0 };
    };
    return {
      query,
      types: { text: 'text', json: 'jsonb', counted: 'bigserial' },
      ours: (table) => `_failback.${table}`,
      columns: { key: 'key', state: 'state', tables: 'tables' },
      schema: 'public',
      tooLarge: /numeric field overflow \(22003\)$/,
      async changeType(table, column, type) {
        await query(`ALTER TABLE ${table} ALTER ${column} TYPE ${type}`);
      },
      async hold(table) {
        const holder = await connect(url);
        await holder.query(`BEGIN; LOCK TABLE ${table} IN SHARE MODE`);
        return () => holder.end();
      },
      async watch(table) {
        await query(`CREATE TABLE seen (id int8);
          CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (NEW.id); RETURN NEW; END $$;
          CREATE TRIGGER see AFTER INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION see();
          ALTER TABLE ${table} ENABLE ALWAYS TRIGGER see`);
      },
      sinkPath: `${new URL(url).pathname}/public`,
      demo: { sentinel: [SENTINEL_ON_TARGET], shop: [SHOP_ON_TARGET] },
      async catalogue() {
        return (await query<{ line: string }>(CATALOGUE)).rows.map(({ line }) => line);
      },
      async setPassword(password) {
        await query(`ALTER ROLE CURRENT_USER PASSWORD ${pg.escapeLiteral(password)}`);
      },
      end: () => client.end(),
    };
  },
};

const OURS = `n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'`;
const CATALOGUE = `
  SELECT line FROM (
    SELECT format('schema %s %s %s', n.nspname, n.nspacl, obj_description(n.oid, 'pg_namespace')) AS line FROM pg_namespace n WHERE ${OURS}
    UNION ALL
    SELECT format('%s %s.%s %s %s %s', c.relkind, n.nspname, c.relname, c.relacl, c.relpersistence, obj_description(c.oid, 'pg_class'))
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE ${OURS}
    UNION ALL
    SELECT format('column %s.%s.%s %s %s', n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull)
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
      WHERE ${OURS} AND a.attnum > 0
    UNION ALL
    SELECT format('constraint %s.%s %s', n.nspname, o.conname, pg_get_constraintdef(o.oid))
      FROM pg_constraint o JOIN pg_namespace n ON n.oid = o.connamespace WHERE ${OURS}
    UNION ALL
    SELECT format('trigger %s %s', t.tgname, t.tgenabled) FROM pg_trigger t WHERE NOT t.tgisinternal
    UNION ALL
    SELECT format('function %s.%s', n.nspname, p.proname) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE ${OURS}
    UNION ALL
    SELECT format('role %s %s', rolname, rolconfig) FROM pg_roles WHERE rolname NOT LIKE 'pg\\_%'
  ) lines ORDER BY line`;
