import type { Reader } from './reader.js';
import { type Rewritten, countedTag } from './rewritten.js';

const VERBS = ['pause', 'resume', 'cancel'] as const;

/** `PAUSE JOB 1`, `CANCEL JOBS (SELECT ...)`, `PAUSE ALL CHANGEFEED JOBS`; undefined for other statements. */
export function rewriteJobControl(r: Reader): Rewritten | undefined {
  const verb = VERBS.find((word) => r.accept(word));
  if (!verb) return undefined;
  const update = `UPDATE crdb_sim.job_control SET request = '${verb}' WHERE`;
  const name = verb.toUpperCase();
  if (r.accept('all')) {
    const type = r.identifier().toUpperCase();
    r.expect('jobs');
    const status =
      verb === 'resume' ? "'paused'" : verb === 'pause' ? "'running'" : "'running', 'paused', 'pause-requested'";
    return {
      sql: `${update} job_type = '${type}' AND status IN (${status})`,
      mendTag: countedTag(`${name} ALL ${type} JOBS`),
    };
  }
  let chosen: string;
  if (r.accept('job')) chosen = `SELECT ${r.value()}::bigint`;
  else {
    r.expect('jobs');
    chosen = r.isSign('(') ? r.parenthesised() : r.rest();
  }
  return {
    sql: `${update} job_id IN (SELECT crdb_sim.known_job(chosen.id::bigint) FROM (${chosen}) AS chosen(id))`,
    mendTag: countedTag(`${name} JOBS`),
  };
}
