import type { Reader } from './reader.js';
import { quote, quoteArray, quoteNames } from './reader.js';
import { type Rewritten, plainTag } from './rewritten.js';

const OWN_PRIVILEGES = new Set([
  'changefeed',
  'backup',
  'restore',
  'zoneconfig',
  'replicationsource',
  'replicationdest',
  'all',
]);
const ROLE_OPTIONS = new Set([
  'CONTROLCHANGEFEED',
  'CONTROLJOB',
  'VIEWACTIVITY',
  'CREATELOGIN',
  'MODIFYCLUSTERSETTING',
  'VIEWCLUSTERSETTING',
]);

/** GRANT and REVOKE of what PostgreSQL does not have; undefined where PostgreSQL's own statement will do. */
export function rewriteGrant(r: Reader): Rewritten | undefined {
  const revoke = r.accept('revoke');
  if (!revoke && !r.accept('grant')) return undefined;
  const tag = revoke ? 'REVOKE' : 'GRANT';
  const grantable = r.accept('grant', 'option', 'for');
  const system = r.accept('system');
  const privileges = r.list(() => r.identifier());
  r.accept('privileges');
  if (system) {
    const grantees = people(r, revoke);
    return {
      sql: `CALL crdb_sim.grant_system(${revoke}, ${quoteArray(privileges)}, ${quoteArray(grantees)}, ${withGrantOption(r)})`,
      mendTag: plainTag(tag),
    };
  }
  if (!r.accept('on') || !privileges.some((name) => OWN_PRIVILEGES.has(name))) return undefined;
  if (['database', 'schema', 'all', 'type', 'sequence', 'function', 'external'].some((word) => r.isWord(word)))
    return undefined;
  r.accept('table');
  const objects = r.list(() => r.name());
  const grantees = people(r, revoke);
  return {
    sql: `CALL crdb_sim.grant_on_tables(${revoke}, ${quoteArray(privileges)}, ${quoteNames(objects)}, ${quoteArray(grantees)}, ${withGrantOption(r) || grantable})`,
    mendTag: plainTag(tag),
  };
}

function people(r: Reader, revoke: boolean): string[] {
  r.expect(revoke ? 'from' : 'to');
  return r.list(() => r.identifier());
}

function withGrantOption(r: Reader): boolean {
  return r.accept('with', 'grant', 'option');
}

/** CREATE and ALTER of users and roles: IF NOT EXISTS and CockroachDB's role options. */
export function rewriteRole(r: Reader): Rewritten | undefined {
  const verb = ['create', 'alter'].find((word) => r.accept(word));
  const kind = ['user', 'role'].find((word) => r.accept(word));
  if (!verb || !kind) return undefined;
  const optional = r.accept('if', 'not', 'exists') || r.accept('if', 'exists');
  const name = r.identifier();
  r.accept('with');
  const options: string[] = [];
  const rest: string[] = [];
  while (!r.done) {
    const word = r.peek()?.value.toUpperCase() ?? '';
    const start = r.position;
    r.next();
    if (ROLE_OPTIONS.has(word.replace(/^NO/, ''))) options.push(word);
    else rest.push(r.textSince(start));
  }
  if (!optional && options.length === 0) return undefined;
  const needed = verb === 'create' || rest.length > 0;
  const statement = needed ? `${verb} ${kind} "${name.replaceAll('"', '""')}" ${rest.join(' ')}` : '';
  return {
    sql: `CALL crdb_sim.role_statement(${quote(statement)}, ${quote(name)}, ${quoteArray(options)}, ${optional && verb === 'create'})`,
    mendTag: plainTag(`${verb.toUpperCase()} ROLE`),
  };
}
