import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { freePort } from '../../demo/parts/free-port.js';
import type { WorkerOptions } from '../../demo/parts/worker-process.js';
import { parseHlc } from '../../src/domain/hlc.js';
import { createSqlStaging } from '../../src/staging/sql/staging.js';
import type { Run } from '../support/run.js';
import { until } from '../support/until.js';
import { openScene, PATIENCE, type Scene } from './scene.js';

const SCHEMA = '_failback_stage';
/** On the target's server, in another database. */
const STAGING = { connection: 'target', schema: `postgres.${SCHEMA}`, createSchema: true };

let at: Scene;
let stages: pg.Client;
before(async () => {
  at = await openScene();
  stages = new pg.Client({ connectionString: at.stack.postgres.url('postgres') });
  await stages.connect();
});
after(async () => {
  await stages.end();
  await at.stop();
});

async function jobs(run: Run): Promise<readonly string[]> {
  const { rows } = await at.source.query<{ job_id: string; sink_uri: string }>(
    `SELECT job_id::text AS job_id, sink_uri FROM [SHOW CHANGEFEED JOBS]`,
  );
  return rows.filter(({ sink_uri }) => sink_uri.includes(`failback_stream=${run.id}`)).map(({ job_id }) => job_id);
}

async function stagedRows(): Promise<number> {
  const { rows } = await stages.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${SCHEMA}.failback_entries`);
  return rows[0]?.n ?? 0;
}

/** Replicating; then two rows are staged, resolved and not applied, and the host is gone with its disk. */
async function losesItsHost(id: string): Promise<Run> {
  const run = await at.begin(id, {}, { staging: STAGING });
  await run.replicating();
  await at.insert(run, 1, 2);
  await at.arrived(run);
  await at.target.query(`BEGIN; LOCK TABLE t_${id}`);
  await at.insert(run, 3, 4);
  await until('both rows in the stage', async () => (await stagedRows()) >= 2, PATIENCE);
  const { rows } = await at.source.query<{ t: string }>('SELECT cluster_logical_timestamp() AS t');
  const written = parseHlc(rows[0]?.t ?? '');
  await until(
    'a resolved timestamp beyond them, so that no changefeed sends them again',
    async () => {
      const { rows: found } = await stages.query<{ resolved: string }>(
        `SELECT resolved FROM ${SCHEMA}.failback_stages WHERE stream = $1`,
        [id],
      );
      return parseHlc(found[0]?.resolved ?? '') > written;
    },
    PATIENCE,
  );
  await at.killWorker();
  await at.target.query('COMMIT');
  assert.equal(await at.rowsOnTarget(`t_${id}`), 2, 'they are in the stage alone');
  return run;
}

async function startElsewhere(over: Partial<WorkerOptions> = {}): Promise<void> {
  const stageDir = join(at.stack.folder, 'another-disk');
  mkdirSync(stageDir, { recursive: true });
  await at.startWorker({ host: `${at.stack.taskQueue}-elsewhere`, stageDir, ...over });
}

test('a host is lost with its disk: another one behind the same URL goes on with the same job, and nothing is lost', async () => {
  const run = await losesItsHost('lost_host');
  const was = await at.checkpoint(run);
  const made = await jobs(run);
  assert.equal(made.length, 1);
  await startElsewhere();
  await at.arrived(run);
  await at.insert(run, 5);
  await at.arrived(run);
  const now = await at.checkpoint(run);
  assert.deepEqual([now.stage, now.incarnation], [was.stage, was.incarnation], 'the same stage, the same incarnation');
  assert.notEqual(now.token, was.token);
  assert.deepEqual(await jobs(run), made, 'no changefeed was made anew');
  await at.finish(run);
  const ending = await run.ending();
  assert.ok(
    ending.done.includes(`staging schema ${STAGING.schema} is removed`),
    `the ending names it: ${ending.done.join('; ')}`,
  );
  const { rowCount } = await stages.query('SELECT FROM pg_namespace WHERE nspname = $1', [SCHEMA]);
  assert.equal(rowCount, 0);
});

test('the other host has another URL: a changefeed is made for it at what the stage has resolved, and nothing is lost', async () => {
  const run = await losesItsHost('other_url');
  const was = await at.checkpoint(run);
  const port = await freePort();
  await startElsewhere({ receiverPort: port, advertisedPort: port });
  await at.arrived(run);
  await at.insert(run, 5);
  await at.arrived(run);
  assert.equal(await at.oneLiveJob(run), was.incarnation + 1);
  assert.equal((await at.checkpoint(run)).stage, was.stage, 'the stage is kept');
  await run.signal('rollback');
  const ending = await run.ending();
  assert.deepEqual([ending.outcome, ending.remains], ['rolled back', []]);
  assert.ok(ending.done.includes(`staging schema ${STAGING.schema} is removed`), ending.done.join('; '));
});

test('another process opens the stage and goes: the attempt that had it ends by itself, and the next one goes on', async () => {
  const run = await at.begin('opened', {}, { staging: STAGING });
  await run.replicating();
  await at.insert(run, 1, 2);
  await at.arrived(run);
  const was = await at.checkpoint(run);
  const other = await createSqlStaging(at.stack.postgres.url('postgres'), STAGING, 'other').open(run.id);
  assert.equal(other.id, was.stage);
  await other.close();
  await at.insert(run, 3);
  await at.arrived(run);
  const now = await at.checkpoint(run);
  assert.deepEqual([now.stage, now.incarnation], [was.stage, was.incarnation]);
  assert.notEqual(now.token, was.token, 'it is another attempt');
  await at.finish(run);
});
