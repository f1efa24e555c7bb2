import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import pg from 'pg';
import { startSimulator, type Simulator } from '../../demo/simulator/simulator.js';
import { parseHlc } from '../../src/domain/hlc.js';
import { planComparison } from '../../src/targets/postgres/comparison-plan.js';
import { describeTables } from '../../src/targets/postgres/introspection.js';
import { openPostgresSnapshot } from '../../src/targets/postgres/snapshot.js';
import { compareTables, countDiffering } from '../../src/verify/compare-tables.js';
import { createSourceReader, SOURCE_TEXT_SETTINGS } from '../../src/verify/source-reader.js';
import { startPostgres, type Postgres } from '../support/postgres.js';

let simulator: Simulator;
let server: Postgres;
let source: pg.Client;
let target: pg.Client;

before(async () => {
  [simulator, server] = await Promise.all([startSimulator(), startPostgres({ settings: { fsync: 'off' } })]);
  source = new pg.Client({ connectionString: simulator.url() });
  target = new pg.Client({ connectionString: server.url() });
  await source.connect();
  await target.connect();
});

after(async () => {
  await source.end();
  await target.end();
  await simulator.stop();
  await server.stop();
});

test('the source is read as of the timestamp, page by page, whatever is written after it', async () => {
  await source.query(
    'CREATE TABLE shop (tenant INT, id DECIMAL, note STRING, "7" FLOAT8, body JSONB, PRIMARY KEY (tenant, id))',
  );
  await target.query(
    'CREATE TABLE shop (tenant bigint, id numeric, note text, "7" float8, body jsonb, PRIMARY KEY (tenant, id))',
  );
  for (let id = 1; id <= 11; id++) {
    const row = [String(9007199254740990n + BigInt(id % 3)), `${id}.50`, `n${id}`, id / 3, { id }];
    for (const side of [source, target]) await side.query('INSERT INTO shop VALUES ($1, $2, $3, $4, $5)', row);
  }
  const { rows } = await source.query<{ at: string }>('SELECT cluster_logical_timestamp()::STRING AS at');
  const at = parseHlc(rows[0]?.at ?? '');
  await source.query(`UPDATE shop SET note = 'later'`);
  await source.query(`DELETE FROM shop WHERE id > 5`);

  for (const [name, value] of Object.entries(SOURCE_TEXT_SETTINGS)) await source.query(`SET ${name} = '${value}'`);
  const name = { schema: 'public', table: 'shop' };
  const described = (await describeTables(target, [name])).get('public.shop');
  assert.ok(described);
  const columns = { tenant: 'INT8', id: 'DECIMAL', note: 'STRING', '7': 'FLOAT8', body: 'JSONB' };
  const planned = planComparison({
    source: {
      table: name,
      columns: Object.entries(columns).map(([column, type]) => ({ name: column, type, nullable: true })),
      primaryKey: ['tenant', 'id'],
      foreignKeys: [],
    },
    target: described,
  });
  assert.ok(planned);
  const compare = async () => {
    const snapshot = await openPostgresSnapshot(
      { connectionString: server.url(), applicationName: 'failback test' },
      '_failback',
    );
    try {
      const signal = new AbortController().signal;
      const reader = createSourceReader(source, at, 4);
      return await compareTables({ source: reader, target: snapshot, at, streams: [], tables: [planned], signal });
    } finally {
      await snapshot.close();
    }
  };
  const equal = await compare();
  assert.deepEqual(equal.map(countDiffering), [0], JSON.stringify(equal));
  assert.equal(equal[0]?.rows, 11);

  await target.query(`INSERT INTO shop VALUES (1, 1.5, 'x', 0, NULL); UPDATE shop SET note = 'later' WHERE id = 3.5`);
  const [different] = await compare();
  assert.deepEqual(different?.extra, { total: 1, keys: ['["1","1.5"]'] });
  assert.deepEqual(different?.different, {
    total: 1,
    rows: [{ key: '["9007199254740990","3.50"]', columns: ['note'] }],
  });
});
