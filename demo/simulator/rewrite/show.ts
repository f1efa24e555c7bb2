import { createEdits } from './edits.js';
import { createReader, type Reader, quote, quoteArray, quoteIdentifier, quoteNames } from './reader.js';
import { tokenize, type Token } from './tokens.js';

/** A SHOW of CockroachDB's as a SELECT with its tag, or undefined where it is PostgreSQL's own. */
export interface Shown {
  readonly select: string;
  readonly tag: string;
}

type Form = (r: Reader) => string;

const CHANGEFEED_JOBS = 'SELECT * FROM crdb_sim.changefeed_jobs()';

/** `JOB n`, `JOBS (SELECT ...)` or `JOBS`: a condition on job_id. */
function jobCondition(r: Reader): string {
  if (r.done || r.isSign(']')) return '';
  if (r.isSign('(')) return ` WHERE job_id IN (${r.parenthesised()})`;
  return ` WHERE job_id = ${r.value()}::bigint`;
}

function users(r: Reader): string {
  return quoteArray(r.accept('for') ? r.list(() => r.identifier()) : []);
}

function zoneOf(r: Reader): string {
  if (!r.accept('from') && !r.accept('for')) r.fail();
  const kind = r.next().value.toUpperCase();
  return `SELECT * FROM crdb_sim.show_zone(${quote(kind)}, ${quoteArray(r.name())})`;
}

const tableColumns: Form = (r) => `SELECT * FROM crdb_sim.show_columns(${quoteArray(r.name())})`;
const settings: Form = () =>
  'SELECT variable, value, type AS setting_type, public, description, default_value, origin FROM crdb_internal.cluster_settings ORDER BY 1';

const FORMS: readonly [string, Form][] = [
  ['changefeed jobs', (r) => CHANGEFEED_JOBS + jobCondition(r)],
  ['changefeed job', (r) => CHANGEFEED_JOBS + jobCondition(r)],
  ['automatic jobs', () => 'SELECT * FROM crdb_sim.show_jobs WHERE false'],
  // Nothing here runs to completion on its own but what is complete already.
  [
    'jobs when complete',
    (r) => `SELECT * FROM crdb_sim.show_jobs WHERE job_id IN (${r.rest()}) AND finished IS NOT NULL`,
  ],
  [
    'job when complete',
    (r) => `SELECT * FROM crdb_sim.show_jobs WHERE job_id = ${r.value()}::bigint AND finished IS NOT NULL`,
  ],
  ['jobs', (r) => `SELECT * FROM crdb_sim.show_jobs${jobCondition(r)} ORDER BY created DESC`],
  ['job', (r) => `SELECT * FROM crdb_sim.show_jobs${jobCondition(r)}`],
  ['cluster settings', settings],
  ['all cluster settings', settings],
  ['public cluster settings', settings],
  [
    'cluster setting',
    (r) => {
      const name = r.name().join('.');
      return `SELECT crdb_sim.show_cluster_setting(${quote(name)}) AS ${quoteIdentifier(name)}`;
    },
  ],
  ['zone configurations', () => 'SELECT target, variable, value FROM crdb_internal.zones'],
  ['zone configuration', zoneOf],
  ['tables', (r) => `SELECT * FROM crdb_sim.show_tables(${r.accept('from') ? quote(r.name().at(-1) ?? '') : 'NULL'})`],
  ['create table', (r) => `SELECT * FROM crdb_sim.show_create(${quoteArray(r.name())})`],
  ['create', (r) => `SELECT * FROM crdb_sim.show_create(${quoteArray(r.name())})`],
  ['columns from', tableColumns],
  ['system grants', (r) => `SELECT * FROM crdb_sim.show_system_grants(${users(r)})`],
  [
    'grants on',
    (r) => {
      r.accept('table');
      const names = r.list(() => r.name());
      return `SELECT * FROM crdb_sim.show_grants(${quoteNames(names)}, ${users(r)})`;
    },
  ],
  [
    'databases',
    () =>
      "SELECT datname::text AS database_name, pg_get_userbyid(datdba)::text AS owner FROM pg_database WHERE NOT datistemplate AND datname <> 'postgres' ORDER BY 1",
  ],
  [
    'schemas',
    () =>
      "SELECT nspname::text AS schema_name, pg_get_userbyid(nspowner)::text AS owner FROM pg_namespace WHERE nspname NOT LIKE 'pg_toast%' ORDER BY 1",
  ],
  ['users', roles],
  ['roles', roles],
  [
    'partitions from',
    () =>
      "SELECT ''::text AS database_name, ''::text AS table_name, ''::text AS partition_name, ''::text AS zone_config WHERE false",
  ],
];

function roles(): string {
  return `SELECT rolname::text AS username, ARRAY(SELECT privilege FROM crdb_sim.privilege p WHERE p.table_id = 0 AND p.grantee = rolname) AS options,
    ARRAY(SELECT m.roleid::regrole::text FROM pg_auth_members m WHERE m.member = r.oid) AS member_of FROM pg_roles r WHERE rolname NOT LIKE 'pg\\_%' ORDER BY 1`;
}

/** Reads what follows SHOW. */
export function rewriteShow(r: Reader): Shown | undefined {
  const start = r.position;
  for (const [words, form] of FORMS) {
    if (r.accept(...words.split(' '))) return { select: form(r), tag: `SHOW ${words.toUpperCase()}` };
    r.back(start);
  }
  return undefined;
}

const FOLLOWS_A_SOURCE = /^(where|order|group|limit|join|left|right|full|inner|cross|natural|on|union|offset|having)$/;

/** A text with every `[SHOW ...]` that stands for a source of rows as a subquery. */
export function expandShowSources(sql: string): string {
  if (!sql.includes('[')) return sql;
  const tokens = tokenize(sql);
  const edits = createEdits(sql);
  tokens.forEach((open, at) => {
    if (open.kind !== 'sign' || open.value !== '[' || tokens[at + 1]?.value !== 'show') return;
    const length = tokens.slice(at).findIndex((token) => token.kind === 'sign' && token.value === ']');
    const close = tokens[at + length];
    if (length < 0 || !close) return;
    const shown = rewriteShow(createReader(sql, tokens.slice(at + 2, at + length)));
    if (shown) edits.replace(open, close, `(${shown.select})${hasAlias(tokens[at + length + 1]) ? '' : ' AS shown'}`);
  });
  const last = tokens.at(-1);
  return edits.apply(tokens) + (last ? sql.slice(last.end) : '');
}

function hasAlias(next: Token | undefined): boolean {
  return next?.kind === 'quoted' || (next?.kind === 'word' && !FOLLOWS_A_SOURCE.test(next.value));
}
