import type pg from 'pg';
import type { Target } from './target/target.js';

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
export async function dumpBoth(sides: { readonly source: pg.Client; readonly target: Target }): Promise<string[]> {
  return [
    ...(await dumpSource(sides.source)).map((line) => `source: ${line}`),
    ...(await sides.target.catalogue()).map((line) => `target: ${line}`),
  ];
}
