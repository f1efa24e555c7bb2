import type { Reader } from './reader.js';
import { quote, quoteArray } from './reader.js';
import { type Rewritten, plainTag } from './rewritten.js';

/** Session variables of CockroachDB's that PostgreSQL does not have: kept, without effect. */
const SESSION_VARIABLES = new Set([
  'allow_unsafe_internals',
  'default_transaction_use_follower_reads',
  'autocommit_before_ddl',
  'default_int_size',
  'serial_normalization',
  'sql_safe_updates',
  'enable_implicit_transaction_for_batch_statements',
  'use_declarative_schema_changer',
  'transaction_rows_read_err',
]);

/** SET and RESET of cluster settings and of CockroachDB's own session variables. */
export function rewriteSetting(r: Reader): Rewritten | undefined {
  if (r.accept('set', 'cluster', 'setting')) {
    const name = r.name().join('.');
    if (!r.accept('to') && !r.acceptSign('=')) r.fail();
    const value = r.accept('default') ? 'NULL' : r.value();
    return {
      sql: `CALL crdb_sim.set_cluster_setting(${quote(name)}, ${value})`,
      mendTag: plainTag('SET CLUSTER SETTING'),
    };
  }
  if (r.accept('reset', 'cluster', 'setting')) {
    const name = r.name().join('.');
    return { sql: `CALL crdb_sim.set_cluster_setting(${quote(name)}, NULL)`, mendTag: plainTag('SET CLUSTER SETTING') };
  }
  const start = r.position;
  if (r.accept('set')) {
    if (!r.accept('session')) r.accept('local');
    const name = r.peek()?.value ?? '';
    if (SESSION_VARIABLES.has(name)) {
      r.next();
      if (!r.accept('to') && !r.acceptSign('=')) r.fail();
      return { sql: `SET crdb_sim_session.${name} = ${r.value()}` };
    }
  }
  r.back(start);
  if (r.accept('show') && SESSION_VARIABLES.has(r.peek()?.value ?? '')) {
    const name = r.next().value;
    return {
      sql: `SELECT coalesce(current_setting('crdb_sim_session.${name}', true), 'off') AS ${name}`,
      mendTag: plainTag('SHOW'),
    };
  }
  r.back(start);
  return undefined;
}

/** `ALTER TABLE t | DATABASE d | RANGE default CONFIGURE ZONE USING a = b, ... | DISCARD`. */
export function rewriteZone(r: Reader): Rewritten | undefined {
  if (!r.accept('alter')) return undefined;
  const kind = ['table', 'database', 'range'].find((word) => r.accept(word))?.toUpperCase();
  if (!kind) return undefined;
  r.accept('if', 'exists');
  if (r.peek()?.kind === 'sign') return undefined;
  const names = r.name();
  if (!r.accept('configure', 'zone')) return undefined;
  const mendTag = plainTag('CONFIGURE ZONE 1');
  const call = (zone: string) => `CALL crdb_sim.configure_zone('${kind}', ${quoteArray(names)}, ${zone})`;
  if (r.accept('discard')) return { sql: call(`'{}'`), mendTag };
  r.expect('using');
  const pairs = r.list(() => {
    const variable = r.name().join('.');
    r.expectSign('=');
    return `${quote(variable)}, ${r.accept('copy', 'from', 'parent') ? 'NULL' : r.value()}`;
  });
  return { sql: call(`jsonb_build_object(${pairs.join(', ')})`), mendTag };
}
