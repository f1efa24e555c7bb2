import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import { stageFolder } from '../../src/staging/lmdb/folder.js';
import type { Stage } from '../../src/staging/stage.js';
import { startByteProxy, type ByteProxy } from '../support/byte-proxy.js';
import { startRunStack, type Input, type Run, type RunStack, type RunStackOptions } from '../support/run.js';
import { until } from '../support/until.js';

/** A whole system whose processes are killed from outside: nothing in it knows of the test. */
export interface Scene extends RunStack {
  /** Before the source, before the target, and before the receiver. */
  readonly proxies: Readonly<Record<'source' | 'target' | 'receiver', ByteProxy>>;
  /** A run of a table of its own, still in drain; with these limits beside the scene's, and further input. */
  begin(id: string, limits?: Readonly<Record<string, string>>, more?: Input): Promise<Run>;
  /** The same, replicating, with two rows on both sides. */
  beginWithRows(id: string): Promise<Run>;
  /** The same; then its worker is killed and its stage lost, while its job lives. With the row as it was left. */
  beginWithLostStage(id: string): Promise<{ readonly run: Run; readonly was: CheckpointSeen }>;
  insert(run: Run, ...ids: readonly number[]): Promise<void>;
  /** Waits until an armed proxy has done its deed. */
  hit(done: () => boolean): Promise<void>;
  checkpoint(run: Run): Promise<CheckpointSeen>;
  /** Live changefeed jobs of the run, by incarnation. */
  incarnations(run: Run): Promise<readonly number[]>;
  /** Waits until one job is live, and returns its incarnation. */
  oneLiveJob(run: Run): Promise<number>;
  /** Looks into the stage of the host; its worker must be dead. */
  withStage<T>(run: Run, look: (stage: Stage) => T): Promise<T>;
  /** Waits until the target has exactly the source's rows. */
  arrived(run: Run): Promise<void>;
  /** Finishes: every row compared, no job left. */
  finish(run: Run): Promise<void>;
}

export interface CheckpointSeen {
  readonly token: string | null;
  readonly stage: string | null;
  readonly incarnation: number;
  readonly applied: string;
}

interface Line {
  readonly id: string;
  readonly name: string;
  readonly price: string;
}

/** Long for a busy machine; whatever is awaited comes within seconds. */
export const PATIENCE = { timeoutMs: 120_000, everyMs: 100 };

/** Short, so that a dead worker is missed soon. */
const LIMITS = { heartbeatTimeout: '4s', hostGrace: '8s', healthEvery: '1s' };

const tableOf = (run: Run | string): string => `t_${(typeof run === 'string' ? run : run.id).replaceAll('-', '_')}`;

/** For all tests of a file; ended after them. */
export async function openScene(options: RunStackOptions = {}): Promise<Scene> {
  const proxies = new Map<string, ByteProxy>();
  const closings: (() => Promise<void>)[] = [];
  const behind = (side: string) => async (port: number) => {
    const proxy = await startByteProxy({ after: (close) => void closings.push(close) }, port);
    proxies.set(side, proxy);
    return proxy.port;
  };
  const at = await startRunStack({
    ...options,
    between: { source: behind('source'), target: behind('target'), receiver: behind('receiver') },
  });
  await at.source.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  const proxyOf = (side: 'source' | 'target' | 'receiver'): ByteProxy => {
    const proxy = proxies.get(side);
    if (!proxy) throw new Error(`nothing stands before the ${side}`);
    return proxy;
  };
  const rowsOf = async (side: 'source' | 'target', run: Run): Promise<string> => {
    const sql = `SELECT id, name, price FROM ${tableOf(run)} ORDER BY id`;
    const { rows } = await (side === 'source' ? at.source.query<Line>(sql) : at.target.query<Line>(sql));
    return rows.map(({ id, name, price }) => `${id} ${name} ${price}`).join('\n');
  };

  const scene: Omit<Scene, keyof RunStack> = {
    proxies: { source: proxyOf('source'), target: proxyOf('target'), receiver: proxyOf('receiver') },
    async begin(id, limits = {}, more = {}) {
      await at.createTable(tableOf(id));
      // What is applied leaves the stage at once, so that what is there is not applied.
      const input: Input = { apply: { retireOffset: '0s' }, ...more, limits: { ...LIMITS, ...limits } };
      const run = await at.start(id, tableOf(id), input);
      await run.awaitPhase('drain');
      return run;
    },
    async beginWithRows(id) {
      const run = await scene.begin(id);
      await run.replicating();
      await scene.insert(run, 1, 2);
      await scene.arrived(run);
      return run;
    },
    async beginWithLostStage(id) {
      const run = await scene.beginWithRows(id);
      await at.killWorker();
      const was = await scene.checkpoint(run);
      assert.deepEqual(await scene.incarnations(run), [was.incarnation], 'its job lives');
      rmSync(stageFolder(join(at.stack.folder, 'stage'), run.id), { recursive: true });
      return { run, was };
    },
    async insert(run, ...ids) {
      for (const id of ids)
        await at.source.query(`INSERT INTO ${tableOf(run)} VALUES ($1, $2, 1.50)`, [id, `row ${id} of ${run.id}`]);
    },
    async hit(done) {
      await until('the armed point', done, PATIENCE);
    },
    async checkpoint(run) {
      const { rows } = await at.target.query<Omit<CheckpointSeen, 'incarnation'> & { readonly incarnation: string }>(
        `SELECT token, stage_id AS stage, incarnation, applied FROM ${at.target.ours('checkpoint')} WHERE stream = $1`,
        [run.id],
      );
      assert.ok(rows[0], `the checkpoint row of ${run.id}`);
      return { ...rows[0], incarnation: Number(rows[0].incarnation) };
    },
    async incarnations(run) {
      const { rows } = await at.source.query<{ sink_uri: string }>(
        `SELECT sink_uri FROM [SHOW CHANGEFEED JOBS] WHERE status NOT IN ('canceled', 'failed', 'succeeded')`,
      );
      return rows
        .map(({ sink_uri }) => new URL(sink_uri.replace(/^webhook-/, '')).searchParams)
        .filter((parameters) => parameters.get('failback_stream') === run.id)
        .map((parameters) => Number(parameters.get('failback_incarnation')))
        .sort();
    },
    async oneLiveJob(run) {
      return until(
        'one live job',
        async () => {
          const [live, ...others] = await scene.incarnations(run);
          return others.length === 0 && live;
        },
        PATIENCE,
      );
    },
    async withStage(run, look) {
      assert.equal(at.worker.running, false, 'the worker is dead');
      const stage = openLmdbStage({ stageDir: join(at.stack.folder, 'stage'), stream: run.id });
      try {
        return look(stage);
      } finally {
        await stage.close();
      }
    },
    async arrived(run) {
      const wanted = await rowsOf('source', run);
      await until(
        `every row of ${run.id}`,
        async () => {
          const found = await rowsOf('target', run);
          if (found === wanted) return true;
          throw new Error(`on the target: ${found.replaceAll('\n', ', ') || 'nothing'}`);
        },
        PATIENCE,
      );
    },
    async finish(run) {
      const { rowCount } = await at.source.query(`SELECT FROM ${tableOf(run)}`);
      await run.awaitPhase('replicate');
      await run.signal('finish');
      const ending = await run.ending();
      assert.deepEqual([ending.outcome, ending.rowsCompared], ['finished', rowCount]);
      assert.deepEqual(await scene.incarnations(run), []);
    },
  };
  const stop = at.stop.bind(at);
  // Not by spreading: `worker` is the one of the moment.
  return Object.assign(at, scene, {
    async stop() {
      await stop();
      for (const close of closings) await close();
    },
  });
}
