export { startPostgres, type Postgres, type PostgresOptions } from '../../demo/parts/postgres.js';
