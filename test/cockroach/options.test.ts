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
];

/** Refused by the sink, after everything else: some texts are others from v23.1 on. Parameters of the URL, options, text. */
const REFUSED_BY_SINK: readonly (readonly [string, string, RegExp])[] = [
  ['', `webhook_sink_config = '{"Flush":{"Messages":10}}'`, /flush frequency is not set|Flush\.Frequency is not set/],
  ['', `webhook_sink_config = '{"Flush":{"Bytes":-1,"Frequency":"1s"}}'`, /values must be non-negative/],
  [
    '',
    `webhook_sink_config = '{"Flush":{"Frequency":"abc"}}'`,
    /error unmarshalling json: time: invalid duration "abc"/,
  ],
  [
    '',
    `webhook_sink_config = '{bad'`,
    /error unmarshalling json: invalid character 'b' looking for beginning of object key string/,
  ],
  ['', `webhook_sink_config = '{"Retry":{"Max":0}}'`, /must be a positive integer\. use 'inf' for infinite retries\./],
  [
    '',
    `webhook_sink_config = '{"Retry":{"Max":"x"}}'`,
    /must be either a positive int or 'inf' for infinite retries\./,
  ],
  ['', `webhook_client_timeout = 'abc'`, /problem parsing option webhook_client_timeout: time: invalid duration "abc"/],
  ['', `webhook_client_timeout = '0.5'`, /time: missing unit in duration "?0\.5"?/],
  [
    '',
    `webhook_client_timeout = '0s'`,
    /option webhook_client_timeout must be a (positive duration|duration greater than 0)/,
  ],
  ['', `webhook_client_timeout = '-5s'`, /negative durations are not accepted: webhook_client_timeout='-5s'/],
  ['', `envelope = 'row'`, /this sink is incompatible with envelope=row/],
  [
    '',
    `format = 'avro', confluent_schema_registry = 'http://127.0.0.1:1'`,
    /this sink is incompatible with option confluent_schema_registry/,
  ],
  ['insecure_tls_skip_verify=foo', '', /param insecure_tls_skip_verify must be a bool/],
  ['ca_cert=ab+d', '', /param ca_cert must be base 64 encoded/],
  ['ca_cert=Zm9v', '', /failed to parse certificate data/],
  ['client_cert=Zm9v', '', /client_cert requires client_key to be set/],
  ['client_key=Zm9v', '', /client_key requires client_cert to be set/],
  ['client_cert=Zm9v&client_key=Zm9v', '', /invalid client certificate data provided/],
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

  for (const [query, options, message] of REFUSED_BY_SINK) {
    const sink = `webhook-https://127.0.0.1:1/db/schema?${query}`;
    const clause = options === '' ? '' : `WITH ${options}`;
    it(`INTO '${sink}' ${clause}`, async () => {
      await assert.rejects(cockroach.sql.query(`CREATE CHANGEFEED FOR TABLE ${table} INTO '${sink}' ${clause}`), {
        message,
      });
    });
  }

  it('a sink without TLS', async () => {
    await assert.rejects(
      cockroach.sql.query(`CREATE CHANGEFEED FOR TABLE ${table} INTO 'webhook-http://127.0.0.1:1/db/schema'`),
      { message: /this sink requires (webhook-)?https/ },
    );
  });

  it('what comes as a parameter all the same', async () => {
    const create = (options: string, ...values: string[]) =>
      cockroach.sql.query(`CREATE CHANGEFEED FOR TABLE ${table} INTO $1 WITH ${options}`, values);
    const good = 'webhook-https://127.0.0.1:1/db/schema';
    await assert.rejects(create('updated', `${good}?ca_cert=Zm9v`), { message: /failed to parse certificate data/ });
    await assert.rejects(create('webhook_sink_config = $2', good, '{bad'), { message: /error unmarshalling json/ });
    await assert.rejects(create('resolved = $2', good, 'abc'), { message: /invalid duration "abc"/ });
    const { rows } = await cockroach.sql.query<{ job_id: string }>(
      `CREATE CHANGEFEED FOR TABLE ${table} INTO $2 WITH webhook_client_timeout = $1, initial_scan = 'no'`,
      ['10s', good],
    );
    await cockroach.sql.query(`CANCEL JOB ${rows[0]?.job_id ?? ''}`);
  });

  it('an option before it looks at the sink', async () => {
    await assert.rejects(
      cockroach.sql.query(
        `CREATE CHANGEFEED FOR TABLE ${table} INTO 'webhook-http://127.0.0.1:1/' WITH nonexistent_option, webhook_sink_config = '{bad'`,
      ),
      { message: /invalid option "nonexistent_option"/ },
    );
  });

  it('no option of a sink where there is none', async () => {
    await assert.rejects(cockroach.sql.query(`CREATE CHANGEFEED FOR TABLE nope WITH webhook_sink_config = '{bad'`), {
      message: /table "nope" does not exist/,
    });
  });

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
    await assert.rejects(cockroach.sql.query(`CREATE CHANGEFEED FOR ${SINK}`), {
      code: '42601',
      message: /at or near ".*": syntax error/,
      detail: /^source SQL:\nCREATE CHANGEFEED FOR INTO .*\n *\^$/,
    });
  });

  it('without a sink the same targets and cursors, with the same hint', async () => {
    const { rows } = await cockroach.sql.query<{ t: string }>('SELECT cluster_logical_timestamp() AS t');
    const young = cockroach.fresh('young');
    await cockroach.sql.query(`CREATE TABLE ${young} (id INT PRIMARY KEY)`);
    await assert.rejects(cockroach.sql.query(`CREATE CHANGEFEED FOR TABLE ${young} WITH cursor = '${rows[0]?.t}'`), {
      message: new RegExp(`table "${young}" does not exist`),
      hint: /do the targets exist at the specified cursor time/,
    });
    await assert.rejects(cockroach.sql.query(`CREATE CHANGEFEED FOR TABLE ${table} WITH cursor = '0'`), {
      message: /zero timestamp is invalid/,
    });
  });
});
