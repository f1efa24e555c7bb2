import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test, type TestContext } from 'node:test';
import { startSimulator, type Simulator } from '../../demo/simulator/simulator.js';
import pg from 'pg';
import { createFeedWish, type FeedWish } from '../../src/activities/feed-wish.js';
import { createPullIntake, type PullIntake } from '../../src/activities/pull-intake.js';
import { captureCursor } from '../../src/cockroach/clock.js';
import { connectCockroach } from '../../src/cockroach/client.js';
import { formatHlc, hlcToMillis, HLC_ZERO, type Hlc } from '../../src/domain/hlc.js';
import { SourceChangedError } from '../../src/domain/source-identity.js';
import { createIntake, type TakenBody } from '../../src/receiver/intake.js';
import { openLmdbStage } from '../../src/staging/lmdb/open-stage.js';
import type { Stage, StagedMutation } from '../../src/staging/stage.js';
import { startByteProxy } from '../support/byte-proxy.js';
import { until } from '../support/until.js';

let simulator: Simulator;
let sql: pg.Client;
before(async () => {
  simulator = await startSimulator();
  sql = new pg.Client({ connectionString: simulator.url() });
  await sql.connect();
  await sql.query('SET CLUSTER SETTING kv.rangefeed.enabled = true');
  await sql.query("SET CLUSTER SETTING kv.closed_timestamp.target_duration = '200ms'");
});
after(async () => {
  await sql.end();
  await simulator.stop();
});

const PLACE = { run: 'r', source: 's', target: 't', checkpointSchema: '_failback', statementTimeoutMs: 5_000 };
const TUNING = {
  resolved: '100ms',
  minCheckpointFrequency: '100ms',
  flushBytes: 1_048_576,
  flushFrequency: '1s',
  clientTimeout: '10s',
  options: {},
};
const LONG = { timeoutMs: 60_000 };

interface Pulled {
  readonly stage: Stage;
  readonly pull: PullIntake;
  readonly wanted: FeedWish;
  /** The incarnations for which a feed was opened, in order. */
  readonly incarnations: number[];
  readonly taken: TakenBody[];
  readonly log: string[];
  readonly troubles: (number | null)[];
  /** Rows of table `name` in the stage, in time order. */
  staged(): Promise<readonly StagedMutation[]>;
  /** Resolves once everything committed up to now is in the stage. */
  settled(): Promise<void>;
}

interface Over {
  readonly port?: number;
  readonly silenceMs?: number;
  readonly wanted?: boolean;
  readonly hold?: () => Promise<void>;
  readonly checkSource?: () => Promise<SourceChangedError | null>;
  readonly cursor?: Hlc;
}

/** Reads table `name (id, v)` into a stage as an attempt does: whatever ends is opened again as the next incarnation of the renewed stage. */
async function pullFrom(t: TestContext, name: string, over: Over = {}): Promise<Pulled> {
  const folder = mkdtempSync(path.join(tmpdir(), 'failback-pull-'));
  const stage = openLmdbStage({ stageDir: folder, stream: name });
  const url = new URL(simulator.url());
  if (over.port !== undefined) url.port = String(over.port);
  const openSource = () => connectCockroach({ connectionString: url.toString(), applicationName: 'pull test' });
  const asking = await connectCockroach({ connectionString: simulator.url(), applicationName: 'pull test' });
  const [incarnations, taken, log, troubles]: [number[], TakenBody[], string[], (number | null)[]] = [[], [], [], []];
  const wanted = createFeedWish();
  wanted.set(over.wanted ?? true);
  const { rows } = await sql.query<{ id: string }>(`SELECT '${name}'::regclass::oid::text AS id`);
  const table = { schema: 'public', table: name };
  const plan = [
    {
      topic: name,
      source: table,
      sourceId: rows[0]?.id ?? '',
      target: table,
      keyColumns: [{ name: 'id', keyClass: 'exact' as const }],
    },
  ];
  const pull = createPullIntake({
    access: { openSource },
    place: PLACE,
    stream: name,
    tables: [table],
    wish: { changefeed: TUNING, silenceMs: over.silenceMs ?? 30_000 },
    retry: { firstMs: 10, maxMs: 100 },
    wanted,
    checkSource: over.checkSource ?? (() => Promise.resolve(null)),
    onTrouble: (trouble) => troubles.push(trouble?.attempts ?? null),
    onRefused: () => log.push('refused'),
    log: (line) => log.push(line),
  });
  await stage.bind(1, over.cursor ?? (await captureCursor(asking)), 'plan');
  let close: () => Promise<void> = () => Promise.resolve();
  let over_ = false;
  const open = (): void => {
    const incarnation = stage.binding()?.incarnation ?? 0;
    incarnations.push(incarnation);
    const intake = createIntake({
      stream: name,
      plan,
      stage,
      committed: () => HLC_ZERO,
      onAccepted: (body) => taken.push(body),
    });
    close = pull.open({
      incarnation,
      cursor: stage.binding()?.resolved ?? HLC_ZERO,
      async receive(n, body) {
        await over.hold?.();
        await intake.receive(n, body);
      },
      again: () => void again(),
    });
  };
  const again = async (): Promise<void> => {
    await close();
    if (over_) return;
    await stage.renew((stage.binding()?.incarnation ?? 0) + 1);
    open();
  };
  open();
  t.after(async () => {
    over_ = true;
    await close();
    await asking.close();
    await stage.close();
    rmSync(folder, { recursive: true });
  });
  return {
    stage,
    pull,
    wanted,
    incarnations,
    taken,
    log,
    troubles,
    async staged() {
      const { mutations } = await stage.read(HLC_ZERO, stage.binding()?.resolved ?? HLC_ZERO, {
        rows: 1e6,
        bytes: 1e9,
      });
      return mutations;
    },
    async settled() {
      const now = await captureCursor(asking);
      await until(
        `everything up to ${formatHlc(now)} (${log.join('; ')})`,
        () => (stage.binding()?.resolved ?? 0n) > now,
        LONG,
      );
    },
  };
}

async function table(name: string): Promise<void> {
  await sql.query(`CREATE TABLE ${name} (id INT PRIMARY KEY, v STRING)`);
}

const text = (bytes: Uint8Array | null): string => (bytes === null ? 'null' : Buffer.from(bytes).toString());

test('10,000 rows come to the byte, in batches, with nothing late', async (t) => {
  await table('exact');
  const pulled = await pullFrom(t, 'exact');
  await sql.query(
    `INSERT INTO exact SELECT 9007199254740992 + i, 'ünïcode 漢字 🚀 <&> \\u0041 "' || i FROM generate_series(1, 10000) AS i`,
  );
  await pulled.settled();
  const staged = await pulled.staged();
  assert.equal(new Set(staged.map(({ key }) => text(key))).size, 10_000);
  for (let i = 1; i <= 10_000; i += 1) {
    const id = String(9007199254740992n + BigInt(i));
    const row = staged.find(({ key }, n) => n >= i - 1 && text(key) === `[${id}]`);
    // As CockroachDB without a sink writes it: blanks between the parts, and nothing escaped that need not be.
    assert.equal(text(row?.after ?? null), `{"id": ${id}, "v": "ünïcode 漢字 🚀 <&> \\\\u0041 \\"${i}"}`);
  }
  assert.equal(
    pulled.taken.reduce((sum, { late }) => sum + late, 0),
    0,
  );
  assert.ok(pulled.taken.every(({ rows }) => rows <= 5_000));
  assert.deepEqual(pulled.incarnations, [1]);
});

test('updates, deletes and rows that come again are what they are', async (t) => {
  await table('again');
  const pulled = await pullFrom(t, 'again');
  await sql.query(`INSERT INTO again VALUES (1, 'a'), (2, 'b')`);
  await sql.query(`UPDATE again SET v = 'c' WHERE id = 1`);
  await sql.query('DELETE FROM again WHERE id = 2');
  await pulled.settled();
  await simulator.control.fault('feed_replay', { backMs: 5_000 });
  await sql.query(`INSERT INTO again VALUES (3, 'd')`);
  await until('rows came again', () => pulled.taken.some(({ redelivered }) => redelivered > 0), LONG);
  await pulled.settled();
  assert.deepEqual((await pulled.staged()).map(({ key, after }) => `${text(key)} ${text(after)}`).sort(), [
    '[1] {"id": 1, "v": "a"}',
    '[1] {"id": 1, "v": "c"}',
    '[2] null',
    '[2] {"id": 2, "v": "b"}',
    '[3] {"id": 3, "v": "d"}',
  ]);
});

test('a connection that is cut in the middle of the rows: the next feed is the next incarnation, and nothing lacks (protocol rule 30)', async (t) => {
  await table('cut');
  const proxy = await startByteProxy(t, Number(new URL(simulator.url()).port));
  const pulled = await pullFrom(t, 'cut', { port: proxy.port });
  await pulled.settled();
  proxy.arm('to-client', Buffer.from('row 2500').toString('hex'), 'cut-before');
  await sql.query(`INSERT INTO cut SELECT i, 'row ' || i FROM generate_series(1, 5000) AS i`);
  await pulled.settled();
  assert.equal(proxy.hits(), 1);
  assert.deepEqual(pulled.incarnations, [1, 2]);
  assert.equal(pulled.stage.binding()?.incarnation, 2);
  assert.equal(new Set((await pulled.staged()).map(({ key }) => text(key))).size, 5_000);
  assert.equal(
    pulled.taken.reduce((sum, { late }) => sum + late, 0),
    0,
  );
});

test('a connection that says nothing any more is given up, and only then (protocol rule 30)', async (t) => {
  await table('mute');
  const proxy = await startByteProxy(t, Number(new URL(simulator.url()).port));
  const pulled = await pullFrom(t, 'mute', { port: proxy.port, silenceMs: 1_500 });
  await pulled.settled();
  await sql.query(`INSERT INTO mute VALUES (1, 'a')`);
  await pulled.settled();
  const resolvedMs = (): number => hlcToMillis(pulled.stage.binding()?.resolved ?? HLC_ZERO);
  const quietFrom = resolvedMs();
  await until('no row for longer than the silence allowed', () => resolvedMs() - quietFrom > 3_000, LONG);
  assert.deepEqual(pulled.incarnations, [1], 'resolved messages are signs of life');
  // A cable that was pulled: nobody is told anything.
  proxy.arm('to-client', Buffer.from('resolved').toString('hex'), 'pause');
  await sql.query(`INSERT INTO mute VALUES (2, 'b')`);
  await pulled.settled();
  assert.ok(proxy.hits() > 0);
  assert.ok(
    pulled.log.some((line) => /has sent nothing for 2 s/.test(line)),
    pulled.log.join('\n'),
  );
  assert.deepEqual(pulled.incarnations, [1, 2]);
  assert.equal((await pulled.staged()).length, 2);
});

test('a source that cannot be reached is tried again without a new incarnation, told as trouble, and its end too', async (t) => {
  await table('away');
  const proxy = await startByteProxy(t, Number(new URL(simulator.url()).port));
  const pulled = await pullFrom(t, 'away', { port: proxy.port });
  await pulled.settled();
  await simulator.control.fault('refuse_connections');
  proxy.cutAll();
  await sql.query(`INSERT INTO away VALUES (1, 'a')`);
  await until('trouble is told', () => (pulled.troubles.at(-1) ?? 0) >= 4, LONG).finally(() =>
    simulator.control.clearFaults('refuse_connections'),
  );
  await pulled.settled();
  assert.equal(pulled.troubles.at(-1), null);
  assert.deepEqual(
    pulled.incarnations,
    [1, 2],
    'one for the feed that was cut; where none was opened, none is used up',
  );
});

test('a stage that takes its time makes the source wait: what waits is bounded, and nothing is lost', async (t) => {
  await table('slow');
  const counted = await countingPipe(t, Number(new URL(simulator.url()).port));
  let holding = true;
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => (release = resolve));
  const pulled = await pullFrom(t, 'slow', {
    port: counted.port,
    silenceMs: 2_000,
    hold: () => (holding ? held : Promise.resolve()),
  });
  const rows = 40_000;
  try {
    await sql.query(`INSERT INTO slow SELECT i, repeat('x', 1000) FROM generate_series(1, ${rows}) AS i`);
    let last = -1;
    let calm = 0;
    await until(
      'nothing moves any more',
      () => {
        calm = counted.bytes() === last && last > 1e6 ? calm + 1 : 0;
        last = counted.bytes();
        // For longer than a feed that is read may be silent.
        return calm >= 60 || last > 40e6;
      },
      { ...LONG, everyMs: 50 },
    );
    // Two hexadecimal digits a byte; what waits here, and what the sockets of both processes hold.
    assert.ok(counted.bytes() < 40e6, `${counted.bytes()} bytes were read`);
    assert.deepEqual(pulled.incarnations, [1], 'a feed that is not read is not silent');
  } finally {
    holding = false;
    release();
  }
  await pulled.settled();
  assert.equal(new Set((await pulled.staged()).map(({ key }) => text(key))).size, rows);
  assert.ok(counted.bytes() > 80e6);
  assert.deepEqual(pulled.incarnations, [1]);
});

test('a pause ends the feed, what is written meanwhile waits at the source, and a resume reads it as the next incarnation', async (t) => {
  await table('rest');
  const pulled = await pullFrom(t, 'rest');
  await pulled.settled();
  pulled.wanted.set(false);
  await until('the feed is ended', () => pulled.log.some((line) => /no changefeed is wanted now/.test(line)), LONG);
  await sql.query(`INSERT INTO rest VALUES (1, 'while paused')`);
  assert.deepEqual(pulled.incarnations, [1]);
  assert.deepEqual(await pulled.staged(), []);
  pulled.wanted.set(true);
  await pulled.settled();
  assert.deepEqual(pulled.incarnations, [1, 2]);
  assert.equal((await pulled.staged()).length, 1);
});

test('no feed is opened for a stream that begins while it is paused; its first one needs no new incarnation', async (t) => {
  await table('begins');
  const pulled = await pullFrom(t, 'begins', { wanted: false });
  pulled.wanted.set(true);
  await pulled.settled();
  assert.deepEqual(pulled.incarnations, [1]);
});

const LASTING: readonly (readonly [
  what: string,
  type: string,
  words: RegExp,
  make: (name: string) => Promise<unknown>,
])[] = [
  ['TRUNCATE', 'Changefeed.TableTruncated', /was truncated/, (name) => sql.query(`TRUNCATE ${name}`)],
  ['DROP TABLE', 'Changefeed.TableDropped', /was dropped/, (name) => sql.query(`DROP TABLE ${name}`)],
];
for (const [what, type, words, make] of LASTING)
  test(`after ${what} no further feed is opened: everything before it is resolved, and a person decides`, async (t) => {
    const name = what.toLowerCase().replace(' ', '_');
    await table(name);
    const pulled = await pullFrom(t, name);
    await sql.query(`INSERT INTO ${name} VALUES (1, 'a')`);
    await pulled.settled();
    await make(name);
    const refused = await until('it is refused', () => pulled.pull.refused(), LONG);
    assert.equal(refused.type, type);
    assert.match(refused.message, words);
    assert.equal((await pulled.staged()).length, 1);
    assert.equal(pulled.incarnations.length, 1);
  });

test('a cursor older than the history that is left is refused at once', async (t) => {
  await table('collected');
  const asking = await connectCockroach({ connectionString: simulator.url(), applicationName: 'pull test' });
  const cursor = await captureCursor(asking);
  await sql.query(`INSERT INTO collected VALUES (1, 'a')`);
  await simulator.control.fault('gc', { threshold: formatHlc(await captureCursor(asking)) });
  await asking.close();
  try {
    const pulled = await pullFrom(t, 'collected', { cursor });
    assert.equal((await until('it is refused', () => pulled.pull.refused(), LONG)).type, 'Cursor.TooOld');
  } finally {
    await simulator.control.clearFaults('gc');
  }
});

test('55C01: the tables are looked at, and the next feed goes on from the boundary (protocol rule 30)', async (t) => {
  await table('boundary');
  const pulled = await pullFrom(t, 'boundary');
  await sql.query(`INSERT INTO boundary VALUES (1, 'before')`);
  await pulled.settled();
  // To another key and back: two boundaries, with nothing written between them.
  await sql.query('ALTER TABLE boundary ALTER COLUMN v SET NOT NULL');
  await sql.query('ALTER TABLE boundary ALTER PRIMARY KEY USING COLUMNS (v)');
  await sql.query('ALTER TABLE boundary ALTER PRIMARY KEY USING COLUMNS (id)');
  await sql.query(`INSERT INTO boundary VALUES (2, 'after')`);
  await pulled.settled();
  assert.equal(pulled.log.filter((line) => /\(55C01\): the tables are looked at/.test(line)).length, 2);
  assert.deepEqual(pulled.incarnations, [1, 2, 3]);
  assert.deepEqual(
    (await pulled.staged()).map(({ key }) => text(key)),
    ['[1]', '[2]'],
  );
});

test('55C01 with another key: no further feed is opened (protocol rule 30)', async (t) => {
  await table('other_key');
  const changed = new SourceChangedError('Source.KeyChanged', 'the key is another one');
  let altered = false;
  let looks = 0;
  const pulled = await pullFrom(t, 'other_key', {
    checkSource: () => {
      if (altered) looks += 1;
      return Promise.resolve(altered ? changed : null);
    },
  });
  await pulled.settled();
  altered = true;
  await sql.query('ALTER TABLE other_key ALTER COLUMN v SET NOT NULL');
  await sql.query('ALTER TABLE other_key ALTER PRIMARY KEY USING COLUMNS (v)');
  const resolved = pulled.stage.binding()?.resolved;
  await until('the tables are looked at', () => looks === 1, LONG);
  assert.ok(resolved !== undefined);
  assert.deepEqual(pulled.incarnations, [1]);
  assert.equal(
    pulled.log.some((line) => /another feed in/.test(line)),
    false,
    pulled.log.join('\n'),
  );
});

test('no feed is opened on a source that is another one (protocol rule 9)', async (t) => {
  await table('elsewhere');
  let looks = 0;
  const pulled = await pullFrom(t, 'elsewhere', {
    checkSource: () => {
      looks += 1;
      return Promise.resolve(new SourceChangedError('Source.TableChanged', 'it is another cluster'));
    },
  });
  await until('it is looked at', () => looks === 1);
  await sql.query(`INSERT INTO elsewhere VALUES (1, 'a')`);
  assert.deepEqual(pulled.taken, []);
  assert.deepEqual(pulled.log, []);
});

test('bytes that are not understood are refused with their place, and never their values', async (t) => {
  await table('mixed');
  const pulled = await pullFrom(t, 'mixed');
  await pulled.settled();
  // The plan says that the key is `id`: a key of another column is not.
  await sql.query('ALTER TABLE mixed RENAME COLUMN id TO other');
  await sql.query(`INSERT INTO mixed VALUES (7, 'canary')`);
  const refused = await until('it is refused', () => pulled.pull.refused(), LONG);
  assert.equal(refused.type, 'Internal.Defect');
  assert.match(refused.message, /the key column "id" is not in after/);
  assert.doesNotMatch(refused.message, /canary/);
});

/** Passes bytes on as fast as the other side takes them, and counts those that came from the server. */
async function countingPipe(t: TestContext, serverPort: number): Promise<{ port: number; bytes(): number }> {
  const sockets = new Set<Socket>();
  let bytes = 0;
  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.pipe(upstream);
    upstream.pipe(client);
    upstream.on('data', (chunk) => (bytes += chunk.length));
    client.on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  return { port: typeof address === 'object' ? (address?.port ?? 0) : 0, bytes: () => bytes };
}
