import type pg from 'pg';

/** Everything of the schemas of a target but its rows: what a run that was undone must have left as it was. */
export async function dumpTarget(target: pg.Client): Promise<string[]> {
  const { rows } = await target.query<{ line: string }>(TARGET_CATALOGUE);
  return rows.map(({ line }) => line);
}

const OURS = `n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'`;
const TARGET_CATALOGUE = `
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

/** Every cluster setting with its origin, every table, and every job of any kind that is still alive. */
export async function dumpSource(source: pg.Client): Promise<string[]> {
  const settings = await source.query<{ variable: string; value: string; origin: string }>(
    'SELECT variable, value, origin FROM [SHOW CLUSTER SETTINGS] ORDER BY variable',
  );
  const tables = await source.query<{ schema_name: string; table_name: string }>(
    'SELECT schema_name, table_name FROM [SHOW TABLES] ORDER BY 1, 2',
  );
  return [
    ...settings.rows.map(({ variable, value, origin }) => `setting ${variable} = ${value} (${origin})`),
    ...tables.rows.map(({ schema_name, table_name }) => `table ${schema_name}.${table_name}`),
    ...(await liveJobs(source)).map((job) => `job ${job}`),
  ];
}

/** Jobs that are not ended, changefeeds and protections of history alike: id, kind and status. */
export async function liveJobs(source: pg.Client): Promise<string[]> {
  const { rows } = await source.query<{ job_id: string; job_type: string; status: string }>(
    `SELECT job_id, job_type, status FROM [SHOW JOBS] WHERE status NOT IN ('canceled', 'failed', 'succeeded') ORDER BY job_id`,
  );
  return rows.map(({ job_id, job_type, status }) => `${job_id} ${job_type} ${status}`);
}

/** Both sides. */
export async function dumpBoth(sides: { readonly source: pg.Client; readonly target: pg.Client }): Promise<string[]> {
  return [
    ...(await dumpSource(sides.source)).map((line) => `source: ${line}`),
    ...(await dumpTarget(sides.target)).map((line) => `target: ${line}`),
  ];
}
