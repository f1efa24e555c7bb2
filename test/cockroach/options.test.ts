import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startCockroach, type Cockroach } from '../support/cockroach.js';

const SINK = `INTO 'webhook-https://127.0.0.1:1/db/schema?insecure_tls_skip_verify=true'`;

/** Refused by every version from v22.1 on: the clause after the target, SQLSTATE where it is the same in all, text. */
const REFUSED: readonly (readonly [string, RegExp])[] = [
  [`WITH nonexistent_option`, /invalid option "nonexistent_option"/],
  [`WITH updated = 'x'`, /option "updated" does not take a value/],
  [`WITH initial_scan, no_initial_scan`, /cannot specify both initial_scan and no_initial_scan/],
  [`WITH resolved = 'abc'`, /time: invalid duration "abc"|problem parsing option resolved/],
  [`WITH resolved = '-1s'`, /negative durations are not accepted: resolved='-1s'/],
  [`WITH schema_change_policy = 'bogus'`, /unknown schema_change_policy: bogus/],
  [`WITH format = 'avro'`, /confluent_schema_registry/],
  [
    `WITH diff, envelope = 'row'`,
    /diff is only usable with envelope=wrapped|this sink is incompatible with envelope=row/,
  ],
  [`WITH cursor = 'bogus'`, /value is neither timestamp, decimal, nor interval/],
  [`WITH cursor = '0'`, /zero timestamp is invalid/],
  [`WITH cursor = '-1'`, /timestamp before 1970-01-01T00:00:00Z is invalid/],
  [`WITH cursor = '1500000000000000000.0000000000'`, /failed to resolve targets in the CHANGEFEED stmt/],
  [`WITH webhook_sink_config = '{"Flush":{"Messages":10}}'`, /flush frequency is not set/],
];

const TARGETS: readonly (readonly [string, RegExp])[] = [
  ['nope', /failed to resolve targets in the CHANGEFEED stmt: table "nope" does not exist/],
  ['system.users', /CHANGEFEEDs are not supported on system tables/],
];

describe('CREATE CHANGEFEED refuses', () => {
  let cockroach: Cockroach;
  let table: string;
  before(async () => {
    cockroach = await startCockroach();
    table = cockroach.fresh('options');
    await cockroach.sql.query(`CREATE TABLE ${table} (id INT PRIMARY KEY)`);
  });
  after(() => cockroach.stop());

  for (const [clause, message] of REFUSED) {
    it(clause, async () => {
      await assert.rejects(cockroach.sql.query(`CREATE CHANGEFEED FOR TABLE ${table} ${SINK} ${clause}`), { message });
    });
  }
  for (const [target, message] of TARGETS) {
    it(`FOR TABLE ${target}`, async () => {
      await assert.rejects(cockroach.sql.query(`CREATE CHANGEFEED FOR TABLE ${target} ${SINK}`), { message });
    });
  }

  it('a cursor in the future', async () => {
    const future = `${BigInt(Date.now() + 600_000) * 1_000_000n}.0000000000`;
    await assert.rejects(
      cockroach.sql.query(`CREATE CHANGEFEED FOR TABLE ${table} ${SINK} WITH cursor = '${future}'`),
      { message: /cannot specify timestamp in the future/ },
    );
  });

  it('views', async () => {
    const view = cockroach.fresh('view');
    await cockroach.sql.query(`CREATE VIEW ${view} AS SELECT id FROM ${table}`);
    await assert.rejects(cockroach.sql.query(`CREATE CHANGEFEED FOR TABLE ${view} ${SINK}`), {
      message: new RegExp(`CHANGEFEED cannot target views: ${view}`),
    });
  });

  it('a table that was not there at the cursor, and says so', async () => {
    const { rows } = await cockroach.sql.query<{ t: string }>('SELECT cluster_logical_timestamp() AS t');
    const young = cockroach.fresh('young');
    await cockroach.sql.query(`CREATE TABLE ${young} (id INT PRIMARY KEY)`);
    await assert.rejects(
      cockroach.sql.query(`CREATE CHANGEFEED FOR TABLE ${young} ${SINK} WITH cursor = '${rows[0]?.t}'`),
      {
        message: new RegExp(`failed to resolve targets in the CHANGEFEED stmt: table "${young}" does not exist`),
        hint: /do the targets exist at the specified cursor time/,
      },
    );
  });

  it('a statement that is none', async () => {
    await assert.rejects(cockroach.sql.query(`CREATE CHANGEFEED FOR ${SINK}`), { code: '42601' });
  });
});
