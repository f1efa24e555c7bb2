import assert from 'node:assert/strict';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, it } from 'node:test';
import pg from 'pg';
import { freePort } from '../support/ports.js';
import { startNode, type StartedProcess } from '../support/processes.js';
import { until } from '../support/until.js';
import { after as isAfter, assertOrdered } from './feed-world.js';
import { startSinkServer, type SeenBody, type SinkServer } from './sink-server.js';

interface Job {
  readonly status: string;
  readonly running_status: string | null;
  readonly high_water_timestamp: string | null;
  readonly error: string;
}

const STREAMS = ['running', 'paused', 'retrying'] as const;
/** `elsewhere` is in a database of its own. */
type Stream = (typeof STREAMS)[number] | 'elsewhere';

let folder: string;
let port: number;
let sink: SinkServer;
let simulator: StartedProcess;
let sql: pg.Client;
const jobs = new Map<Stream, string>();

async function connect(database: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: `postgresql://root@127.0.0.1:${port}/${database}` });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function start(): Promise<void> {
  simulator = startNode('demo/simulator/main.ts', ['--port', String(port), '--data', folder]);
  await until('the simulator listens', () => simulator.stdout().includes('CockroachDB simulator:'), {
    timeoutMs: 60_000,
  });
  sql = await connect('defaultdb');
}

before(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'simulator-restart-'));
  chmodSync(folder, 0o755);
  port = await freePort();
  sink = await startSinkServer();
  await start();
});
after(async () => {
  await sql.end().catch(() => undefined);
  await simulator.kill();
  await sink.stop();
  rmSync(folder, { recursive: true, force: true });
});

const create = async (client: pg.Client, stream: Stream): Promise<string> => {
  const { rows } = await client.query<{ job_id: string }>(
    `CREATE CHANGEFEED FOR TABLE t INTO '${sink.url('/db/public', `${sink.caCert}&stream=${stream}`)}'
       WITH updated, resolved = '50ms', min_checkpoint_frequency = '50ms', initial_scan = 'no', on_error = 'pause'`,
  );
  return rows[0]?.job_id ?? '';
};
const job = async (stream: Stream): Promise<Job> => {
  const { rows } = await sql.query<Job>(`SHOW CHANGEFEED JOB ${jobs.get(stream) ?? ''}`);
  assert.ok(rows[0], `job of ${stream}`);
  return rows[0];
};
const insert = (id: number) => sql.query('INSERT INTO t VALUES ($1)', [id]);
const requestsOf = (stream: Stream) => sink.requests.filter(({ line }) => line.includes(`stream=${stream}`));
const bodiesOf = (stream: Stream) => requestsOf(stream).map(({ body }) => JSON.parse(body) as SeenBody);
const idsOf = (stream: Stream) => bodiesOf(stream).flatMap((body) => (body.payload ?? []).map((row) => row.key[0]));
const resolvedPast = (stream: Stream, at: string) =>
  until(`${stream} is resolved past ${at}`, () =>
    bodiesOf(stream).some(({ resolved }) => resolved !== undefined && isAfter(resolved, at)),
  );
const now = async () => (await sql.query<{ t: string }>('SELECT cluster_logical_timestamp() AS t')).rows[0]?.t ?? '';

it('a SIGKILL leaves every job as it was, and each goes on from its high-water', async () => {
  await sql.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await sql.query("SET CLUSTER SETTING kv.closed_timestamp.target_duration = '50ms'");
  await sql.query('CREATE TABLE t (id INT PRIMARY KEY)');
  for (const stream of STREAMS) jobs.set(stream, await create(sql, stream));
  await insert(1);
  const first = await now();
  for (const stream of STREAMS) await resolvedPast(stream, first);

  await sql.query(`PAUSE JOB ${jobs.get('paused') ?? ''}`);
  await until('it is paused', async () => (await job('paused')).status === 'paused');
  sink.answer = ({ line, body }, response) => {
    const refused = line.includes('stream=retrying') && body.includes('"payload"');
    response.writeHead(refused ? 503 : 200, refused ? 'Service Unavailable' : 'OK').end(refused ? 'no room' : '');
  };
  // Rows arrive, and nothing is resolved: what comes now lies between the high-water and the kill.
  await sql.query(`SELECT crdb_sim.fault('feed_hold_resolved', '{"job": "${jobs.get('running') ?? ''}"}')`);
  await insert(2);
  await until('the row came', () => idsOf('running').includes(2));
  await until('it was refused', () => idsOf('retrying').filter((id) => id === 2).length >= 2);
  const earlier = new Map<Stream, Job>();
  for (const stream of STREAMS) earlier.set(stream, await job(stream));
  const pausedRequests = requestsOf('paused').length;

  await simulator.kill();
  await sql.end().catch(() => undefined);
  await start();

  for (const stream of STREAMS) {
    const [was, is] = [earlier.get(stream), await job(stream)];
    assert.deepEqual(
      [is.status, is.high_water_timestamp, is.error],
      [was?.status, was?.high_water_timestamp, ''],
      stream,
    );
  }
  await until('the row came again', () => idsOf('running').filter((id) => id === 2).length === 2);
  await until('it is refused again, for its reason', async () =>
    /^retryable error: retryable changefeed error: 503 Service Unavailable: no room$/.test(
      (await job('retrying')).running_status ?? '',
    ),
  );
  assert.equal((await job('retrying')).status, 'running');
  assert.equal(requestsOf('paused').length, pausedRequests, 'a paused job sends nothing');

  await sql.query('SELECT crdb_sim.clear_faults()');
  sink.answer = (_, response) => void response.end();
  await sql.query(`RESUME JOB ${jobs.get('paused') ?? ''}`);
  await insert(3);
  const last = await now();
  for (const stream of STREAMS) {
    await resolvedPast(stream, last);
    assert.deepEqual([...new Set(idsOf(stream))].sort(), [1, 2, 3], stream);
    assert.equal(idsOf(stream).filter((id) => id === 1).length, 1, `${stream}: what was resolved does not come again`);
    assertOrdered(bodiesOf(stream));
  }
});

it('a job of a database to which nobody connects goes on too', async () => {
  await sql.query('CREATE DATABASE elsewhere');
  const other = await connect('elsewhere');
  await other.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await other.query('CREATE TABLE t (id INT PRIMARY KEY)');
  await create(other, 'elsewhere');
  await until('it sends', () => requestsOf('elsewhere').length > 0);
  await other.end();
  await simulator.kill();
  await sql.end().catch(() => undefined);
  const requests = requestsOf('elsewhere').length;
  await start();
  await until('it sends again', () => requestsOf('elsewhere').length > requests);
});
