import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { after, before, test } from 'node:test';
import { createCertificateAuthority } from '../../demo/parts/certificates.js';
import { createIntake } from '../../src/receiver/intake.js';
import { startReceiver } from '../../src/receiver/server.js';
import { httpsRequest } from '../support/https-client.js';
import { startPostgres, type Postgres } from '../support/postgres.js';
import { until } from '../support/until.js';
import { at, planOf, upsert } from '../targets/postgres/apply-fixture.js';
import { createLoopFixture } from './loop-fixture.js';

let postgres: Postgres;
before(async () => {
  postgres = await startPostgres({ settings: { fsync: 'off' } });
});
after(() => postgres.stop());

/** What a run has by default. */
const LIMITS = { rows: 20_000, bytes: 33_554_432 };
const CLIENT_TIMEOUT_MS = 10_000;
/** Between two beats a worker is not missed: far below the 10 s of heartbeatTimeout. */
const LONGEST_GAP_MS = 4_000;
const BACKLOG = 200_000;
const ROWS = 500;

const note = 'some words '.repeat(9);
const document = (id: number): string => `{"id": ${id}, "note": "${note}"}`;

test('at full load the receiver answers within the time-out of the changefeed, and heartbeats keep flowing', async (t) => {
  const fixture = await createLoopFixture(t, postgres, 'CREATE TABLE t (id int8 PRIMARY KEY, note text)', ['t']);
  const { stage, stream } = fixture;
  for (let from = 0; from < BACKLOG; from += 5_000)
    await fixture.stageRows(
      Array.from({ length: 5_000 }, (_, i) => upsert(1 + ((from + i) >> 4), 0, `[${from + i}]`, document(from + i))),
    );
  const authority = await createCertificateAuthority();
  const receiver = await startReceiver({ bindAddr: '127.0.0.1:0', tls: await authority.issueServer() });
  const agent = new Agent({ keepAlive: true });
  t.after(async () => {
    agent.destroy();
    await receiver.close(1_000);
  });
  const intake = createIntake({ stream, plan: planOf(['t']), stage, committed: () => at(0) });
  receiver.register({ stream, path: ['db', 'public'], token: 'attempt', receive: intake.receive });
  const path = `/db/public?failback_stream=${stream}&failback_incarnation=1`;

  const gaps: number[] = [];
  let beatAt = performance.now();
  const beat = setInterval(() => {
    gaps.push(performance.now() - beatAt);
    beatAt = performance.now();
  }, 100);
  t.after(() => clearInterval(beat));

  const loop = fixture.start({ limits: LIMITS });
  await fixture.resolve(BACKLOG);
  const answered: number[] = [];
  const applied = (): boolean => fixture.progress().upserts >= BACKLOG;
  let sent = 0;
  while (!applied()) {
    const started = performance.now();
    const { status, text } = await httpsRequest({
      port: receiver.port,
      path,
      ca: authority.cert,
      agent,
      body: body(sent++),
    });
    assert.deepEqual([status, text], [200, 'OK']);
    answered.push(performance.now() - started);
  }
  assert.ok(sent > 10, `${sent} bodies were sent meanwhile`);
  assert.ok(Math.max(...answered) < CLIENT_TIMEOUT_MS, `the slowest answer took ${Math.max(...answered)} ms`);
  assert.ok(Math.max(...gaps) < LONGEST_GAP_MS, `nothing but the loop ran for ${Math.max(...gaps)} ms`);
  t.diagnostic(
    `${sent} bodies, slowest ${Math.round(Math.max(...answered))} ms, longest gap ${Math.round(Math.max(...gaps))} ms`,
  );

  await stage.resolve(1, at(2 * BACKLOG));
  await until(
    'the rows that came meanwhile',
    async () => (await fixture.rows('SELECT count(*)::text FROM t'))[0]?.[0] === String(BACKLOG + sent * ROWS),
  );
  assert.equal((await loop.abort()).ended, 'aborted');
});

/** Rows after the backlog, as the webhook sink writes them. */
function body(n: number): string {
  const items = Array.from({ length: ROWS }, (_, i) => {
    const id = BACKLOG + n * ROWS + i;
    const updated = `${1_759_246_920_563_173_000n + BigInt(BACKLOG + 1 + n)}.0000000000`;
    return `{"after":${document(id)},"key":[${id}],"topic":"t","updated":"${updated}"}`;
  });
  return `{"payload":[${items.join()}],"length":${ROWS}}`;
}
