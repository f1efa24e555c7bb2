import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import { attempt, isDenied, isReadOnly, wordsOf, type Asking } from './attempt.js';
import { quoteName } from './names.js';

const CLOCK_SKEW_WARN_MS = 5_000;
/** The oldest release that is supported, and the newest that the manuals which were read speak of. */
const OLDEST = 19;
const NEWEST = 23;
/** Shorter than this, undo may be gone before a table of some size is compared, in seconds. */
const UNDO_WARN_SECONDS = 1800;

/** The user as Oracle has it, and what it may. */
export interface Connected {
  /** As it is spelled without quotation marks. */
  readonly user: string;
  /** Of SESSION_PRIVS. */
  readonly privileges: ReadonlySet<string>;
}

export interface ServerCheck extends Connected {
  readonly findings: readonly Finding[];
}

/** Checks what concerns the database as a whole. `connectionsNeeded` are those to come, beside the one that asks. */
export async function checkServer(client: Asking, connectionsNeeded: number): Promise<ServerCheck> {
  const asked = Date.now();
  const { rows } = await client.execute(SESSION_FACTS);
  const answered = Date.now();
  const facts = rows[0] ?? {};
  const user = facts.user_name ?? '';
  const { rows: privileges } = await client.execute('SELECT p.privilege AS privilege FROM session_privs p');
  return {
    user,
    privileges: new Set(privileges.map((row) => row.privilege ?? '')),
    findings: [
      ...(await checkVersion(client)),
      ...(await checkWritable(client, facts.database_role ?? '')),
      ...(await checkCharacters(client)),
      ...checkContainer(user, facts.container ?? ''),
      ...(await checkSessions(client, user, connectionsNeeded)),
      ...(await checkUndo(client, user)),
      ...checkClock(utcMs(facts.clock ?? ''), (asked + answered) / 2),
    ],
  };
}

const SESSION_FACTS = `
SELECT SYS_CONTEXT('USERENV', 'SESSION_USER') AS user_name, SYS_CONTEXT('USERENV', 'DATABASE_ROLE') AS database_role,
  SYS_CONTEXT('USERENV', 'CON_NAME') AS container, TO_CHAR(SYSTIMESTAMP AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.FF3') AS clock
FROM DUAL`;

function utcMs(text: string): number {
  return Date.parse(`${text.replace(' ', 'T')}Z`);
}

/** A view that everybody may read. */
async function checkVersion(client: Asking): Promise<Finding[]> {
  const { rows } = await client.execute(
    `SELECT v.version AS version FROM product_component_version v ORDER BY v.product`,
  );
  const versions = rows.flatMap(({ version }) => version ?? []);
  const releases = versions.map((version) => Number(version.split('.')[0]));
  const release = Math.max(0, ...releases.filter((one) => !Number.isNaN(one)));
  const older = release < OLDEST;
  if (!older && release <= NEWEST) return [];
  return [
    createFinding(older ? 'blocking' : 'warning', 'server.version', {
      object: 'the target',
      problem: older ? 'this Oracle is older than what is supported' : 'this Oracle is newer than what is known',
      found: versions.join(', '),
      remedy: action(older ? `Upgrade it to ${OLDEST}c or later.` : 'Rehearse the whole runbook on a copy first.'),
    }),
  ];
}

/** A plan is a row of a temporary table: who may write at all may have one. */
async function checkWritable(client: Asking, role: string): Promise<Finding[]> {
  const refused = await attempt(client, 'EXPLAIN PLAN FOR SELECT 1 FROM DUAL');
  const standby = /STANDBY/i.test(role);
  const readOnly = refused !== null && isReadOnly(refused);
  if (refused !== null && !readOnly)
    return [
      createFinding('blocking', 'server.plans', {
        object: 'the target',
        problem: 'EXPLAIN PLAN is refused, by which privileges are tried',
        found: wordsOf(refused),
        remedy: onTarget('GRANT SELECT, INSERT, UPDATE, DELETE ON "SYS"."PLAN_TABLE$" TO PUBLIC'),
      }),
    ];
  if (!standby && !readOnly) return [];
  return [
    createFinding('blocking', 'server.read-only', {
      object: 'the target',
      problem: 'it takes no writes: a standby, or opened read only',
      found: standby ? role : wordsOf(refused ?? { code: '', message: '' }),
      remedy: standby
        ? action('Connect to the primary.')
        : action('Open it for writing (ALTER DATABASE OPEN, or ALTER PLUGGABLE DATABASE ... OPEN READ WRITE FORCE).'),
    }),
  ];
}

/** CockroachDB's texts are of all of Unicode. */
async function checkCharacters(client: Asking): Promise<Finding[]> {
  const { rows } = await client.execute(
    `SELECT n."VALUE" AS charset FROM nls_database_parameters n WHERE n.parameter = 'NLS_CHARACTERSET'`,
  );
  const charset = rows[0]?.charset ?? '';
  if (charset === 'AL32UTF8') return [];
  // UTF8 is an old one that writes characters beyond U+FFFF as two of three bytes.
  return [
    createFinding(charset === 'UTF8' ? 'warning' : 'blocking', 'server.encoding', {
      object: 'the target',
      problem:
        charset === 'UTF8'
          ? 'in this character set a character beyond U+FFFF takes six bytes, so a text of such may not fit'
          : 'characters that this set lacks would be replaced by others without a word',
      found: `NLS_CHARACTERSET = ${charset}`,
      remedy: action('Migrate the database to AL32UTF8 (Oracle: Database Migration Assistant for Unicode).'),
    }),
  ];
}

/** A common user of the root sees no table of a pluggable database. */
function checkContainer(user: string, container: string): Finding[] {
  if (container !== 'CDB$ROOT') return [];
  return [
    createFinding('blocking', 'server.container', {
      object: 'the target',
      problem: `the user ${user} is connected to the root of a container database, where no application has its tables`,
      found: container,
      remedy: action('Name the service of the pluggable database in the connection string.'),
    }),
  ];
}

/** USER_RESOURCE_LIMITS has the profile's limits of whoever asks. */
async function checkSessions(client: Asking, user: string, needed: number): Promise<Finding[]> {
  const { rows } = await client.execute(
    `SELECT l.resource_name AS resource_name, l."LIMIT" AS most FROM user_resource_limits l
     WHERE l.resource_name IN ('SESSIONS_PER_USER', 'IDLE_TIME', 'CONNECT_TIME')`,
  );
  const limits = rows.flatMap(({ resource_name: name, most }) =>
    /^\d+$/.test(most ?? '') ? [{ name: name ?? '', most: Number(most) }] : [],
  );
  return limits.flatMap(({ name, most }) => {
    if (name === 'SESSIONS_PER_USER')
      return most > needed
        ? []
        : [
            createFinding('blocking', 'server.connections', {
              object: 'the target',
              problem: `the run needs ${needed} more connections than the one that asks`,
              found: `SESSIONS_PER_USER of the profile of ${user} is ${most}`,
              remedy: onTarget(profile(user, 'SESSIONS_PER_USER', String(needed + 1))),
            }),
          ];
    return [
      createFinding('warning', 'server.session-limit', {
        object: 'the target',
        problem: 'sessions of this user are ended by its profile, and the stream goes on with a new one each time',
        found: `${name} of the profile of ${user} is ${most} minutes`,
        remedy: onTarget(profile(user, name, 'UNLIMITED')),
      }),
    ];
  });
}

/** Which profile it is, a plain user is not told: one of its own mends it. */
function profile(user: string, limit: string, to: string): string {
  return `CREATE PROFILE failback_limits LIMIT ${limit} ${to}; ALTER USER ${quoteName(user)} PROFILE failback_limits`;
}

/** The comparison reads one moment for as long as it takes. */
async function checkUndo(client: Asking, user: string): Promise<Finding[]> {
  const parameter = `SELECT p."VALUE" AS seconds FROM v$parameter p WHERE p.name = 'undo_retention'`;
  const refused = await attempt(client, parameter);
  if (refused !== null)
    return [
      createFinding('note', 'server.undo', {
        object: 'the target',
        problem:
          'how long undo is kept cannot be seen; a comparison that takes longer ends in ORA-01555 and is begun again',
        found: isDenied(refused) ? `the user ${user} may not read V$PARAMETER` : wordsOf(refused),
        remedy: onTarget(`GRANT SELECT ON "SYS"."V_$PARAMETER" TO ${quoteName(user)}`),
      }),
    ];
  const { rows } = await client.execute(parameter);
  const seconds = Number(rows[0]?.seconds ?? 0);
  if (seconds >= UNDO_WARN_SECONDS) return [];
  return [
    createFinding('warning', 'server.undo', {
      object: 'the target',
      problem: 'a comparison that takes longer than undo is kept ends in ORA-01555 and is begun again',
      found: `undo_retention = ${seconds}`,
      remedy: onTarget(`ALTER SYSTEM SET undo_retention = ${2 * UNDO_WARN_SECONDS}`),
    }),
  ];
}

/** A warning only: no decision rests on this clock (protocol rule 31), but lag is shown by it. */
function checkClock(clockMs: number, ourMs: number): Finding[] {
  const skewMs = clockMs - ourMs;
  if (!(Math.abs(skewMs) > CLOCK_SKEW_WARN_MS)) return [];
  return [
    createFinding('warning', 'server.clock', {
      object: 'the target',
      problem: "its clock and the worker's differ, so times in logs do not compare",
      found: `${(skewMs / 1000).toFixed(1)} s`,
      remedy: action('Let both follow the same time servers.'),
    }),
  ];
}
