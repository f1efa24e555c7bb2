import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import pg from 'pg';
import { startPostgres } from '../support/postgres.js';
import { isAlive, startScript } from '../support/processes.js';
import { until } from '../support/until.js';

async function query(url: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(sql)).rows;
  } finally {
    await client.end();
  }
}

/** The processes that stand in the folder, as the server and its children do. */
function processesIn(folder: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readlinkSync(`/proc/${pid}/cwd`).startsWith(folder);
      } catch {
        return false;
      }
    })
    .map(Number);
}

test('a server starts with its settings, survives kill and restart with its rows, and leaves nothing when stopped', async () => {
  const server = await startPostgres({ settings: { wal_level: 'logical' } });
  const { pid, port } = server;
  const folder = path.dirname(server.logFile);
  try {
    const [settings] = await query(
      server.url(),
      "SELECT current_setting('wal_level') AS wal, current_setting('fsync') AS fsync, current_setting('server_encoding') AS encoding",
    );
    assert.deepEqual(settings, { wal: 'logical', fsync: 'on', encoding: 'UTF8' });
    await query(server.url(), 'CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)');
    const client = new pg.Client(server.url());
    client.on('error', () => undefined);
    await client.connect();
    assert.equal(await server.connectionsTo('postgres'), 1);
    await server.kill();
    assert.equal(isAlive(pid), false);
    await server.restart();
    assert.notEqual(server.pid, pid);
    assert.deepEqual(await query(server.url(), 'SELECT id FROM kept'), [{ id: 7 }]);
    await server.restart();
    assert.equal(new URL(server.url()).port, String(port));
    assert.deepEqual(await query(server.url(), 'SELECT id FROM kept'), [{ id: 7 }]);
  } finally {
    await server.stop();
  }
  assert.equal(isAlive(server.pid), false);
  assert.equal(existsSync(folder), false);
});

test('a data folder that is given is kept, and serves the next start', async () => {
  const dataDir = path.join(process.env['TMPDIR'] ?? '/tmp', `failback-kept-${process.pid}`);
  const first = await startPostgres({ dataDir });
  await query(first.url(), 'CREATE TABLE kept (id int)');
  await first.stop();
  const second = await startPostgres({ dataDir });
  try {
    assert.deepEqual(await query(second.url(), 'SELECT count(*)::int AS n FROM kept'), [{ n: 0 }]);
  } finally {
    await second.stop();
  }
});

test('a setting the server refuses gives its own words', async () => {
  await assert.rejects(
    startPostgres({ settings: { wal_level: 'everything' } }),
    /invalid value for parameter "wal_level": "everything"/,
  );
});

const PARENT = `
  const { startPostgres } = await import('./demo/parts/postgres.ts');
  const server = await startPostgres();
  console.log(JSON.stringify({ pid: server.pid, logFile: server.logFile }));
  setInterval(() => undefined, 1000);`;

for (const [how, env] of [
  ['by the parent death signal', {}],
  ['by the watcher, where there is no setpriv', { PATH: '/nonexistent' }],
] as const) {
  test(`a server ends with its parent's SIGKILL ${how}`, async () => {
    const parent = startScript(PARENT, { env });
    const line = await until('the server of the parent', () => /^\{.*\}$/m.exec(parent.output())?.[0]);
    const { pid, logFile } = JSON.parse(line) as { pid: number; logFile: string };
    const folder = path.dirname(logFile);
    assert.ok(isAlive(pid));
    assert.ok(processesIn(folder).includes(pid));
    await parent.kill();
    await until('the end of every process of the server', () => !isAlive(pid) && processesIn(folder).length === 0);
    assert.match(readFileSync(logFile, 'utf8'), /received immediate shutdown request/);
  });
}
