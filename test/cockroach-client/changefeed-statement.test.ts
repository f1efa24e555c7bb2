import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildCreateChangefeed,
  buildSinklessChangefeed,
  buildSinklessProbe,
  needsFullTableName,
  topicOf,
} from '../../src/cockroach/changefeed-statement.js';
import { parseVersion } from '../../src/cockroach/version.js';
import { mergeChangefeedOptions, type ChangefeedTuning } from '../../src/domain/changefeed-options.js';
import { parseHlc } from '../../src/domain/hlc.js';

const MODERN = { major: 25, minor: 2, text: 'v25.2.0' };
const TUNING: ChangefeedTuning = {
  resolved: '250ms',
  minCheckpointFrequency: '250ms',
  flushBytes: 1_048_576,
  flushFrequency: '1s',
  clientTimeout: '10s',
  options: {},
};
const STATEMENT = {
  tables: [
    { schema: 'public', table: 'employees' },
    { schema: 'public', table: 'orders' },
  ],
  sinkUrl: 'webhook-https://h:30004/db/public?failback_stream=s&failback_incarnation=1',
  cursor: parseHlc('1759246920563173000.0000000000'),
  options: mergeChangefeedOptions(TUNING),
  version: MODERN,
};

test('the documented statement, with on_error', () => {
  assert.equal(
    buildCreateChangefeed(STATEMENT),
    `CREATE CHANGEFEED FOR TABLE "public"."employees", "public"."orders" ` +
      `INTO 'webhook-https://h:30004/db/public?failback_stream=s&failback_incarnation=1' ` +
      `WITH updated, resolved = '250ms', min_checkpoint_frequency = '250ms', ` +
      `webhook_sink_config = '{"Flush":{"Bytes":1048576,"Frequency":"1s"}}', webhook_client_timeout = '10s', ` +
      `on_error = 'pause', initial_scan = 'no', cursor = '1759246920563173000.0000000000'`,
  );
});

const VERSIONS: readonly (readonly [string, RegExp, RegExp | null])[] = [
  [
    'CockroachDB CCL v22.1.0-alpha.00000000-local (linux amd64)',
    /, no_initial_scan, /,
    /protect_data_from_gc_on_pause/,
  ],
  ['CockroachDB CCL v22.2.0 (x86_64)', /initial_scan = 'no'/, /protect_data_from_gc_on_pause/],
  ['CockroachDB CCL v23.1.11 (x86_64)', /initial_scan = 'no'/, /protect_data_from_gc_on_pause/],
  ['CockroachDB CCL v23.2.0 (x86_64)', /initial_scan = 'no'/, null],
  ['CockroachDB CCL v25.2.0 (x86_64)', /initial_scan = 'no'/, null],
];
for (const [text, scan, protection] of VERSIONS)
  test(`the spelling for ${text}: on_error is always pause`, () => {
    const version = parseVersion(text);
    assert.ok(version);
    const sql = buildCreateChangefeed({ ...STATEMENT, version });
    assert.match(sql, /on_error = 'pause'/);
    assert.match(sql, scan);
    assert.equal(/no_initial_scan/.test(sql), scan.source.includes('no_initial_scan'));
    assert.equal(/protect_data_from_gc_on_pause/.test(sql), protection !== null);
  });

test('a server that is not CockroachDB has no version', () => {
  assert.equal(parseVersion('PostgreSQL 18.0 on x86_64-pc-linux-gnu'), null);
});

test('quotes in names, URL and header stay inside their literals', () => {
  const sql = buildCreateChangefeed({
    ...STATEMENT,
    tables: [{ schema: 'Sch"ema', table: "o'rders" }],
    sinkUrl: "webhook-https://h/it's",
    authHeader: "Bearer a'b",
  });
  assert.match(sql, /TABLE "Sch""ema"\."o'rders" INTO 'webhook-https:\/\/h\/it''s' WITH /);
  assert.match(sql, /webhook_auth_header = 'Bearer a''b'$/);
});

test('tables of one name in two schemas get full table names', () => {
  const tables = [
    { schema: 'public', table: 'orders' },
    { schema: 'archive', table: 'orders' },
  ];
  assert.match(buildCreateChangefeed({ ...STATEMENT, tables }), /, full_table_name, /);
  assert.doesNotMatch(buildCreateChangefeed(STATEMENT), /full_table_name/);
  assert.ok(needsFullTableName(tables));
  assert.equal(topicOf({ schema: 'public', table: 'orders' }, 'd.public.orders', tables), 'd.public.orders');
  assert.equal(topicOf({ schema: 'public', table: 'orders' }, 'd.public.orders', STATEMENT.tables), 'orders');
});

test('the probe has no sink and scans nothing', () => {
  assert.equal(
    buildSinklessProbe([{ schema: 'public', table: 't' }], MODERN),
    `CREATE CHANGEFEED FOR TABLE "public"."t" WITH resolved = '250ms', min_checkpoint_frequency = '250ms', initial_scan = 'no'`,
  );
});

const WITHOUT_SINK: readonly (readonly [version: string, scan: string])[] = [
  ['v21.2.17', 'no_initial_scan'],
  ['v22.1.0-alpha.00000000-local', 'no_initial_scan'],
  ['v22.1.22', 'no_initial_scan'],
  ['v22.2.0', "initial_scan = 'no'"],
  ['v23.1.11', "initial_scan = 'no'"],
  ['v25.2.0', "initial_scan = 'no'"],
  ['v26.2.5', "initial_scan = 'no'"],
];
for (const [text, scan] of WITHOUT_SINK)
  test(`without a sink on ${text}: key and topic in the value, and nothing of a webhook`, () => {
    const version = parseVersion(`CockroachDB CCL ${text} (x86_64-pc-linux-gnu)`);
    assert.ok(version);
    assert.equal(
      buildSinklessChangefeed({ ...STATEMENT, version }),
      `CREATE CHANGEFEED FOR TABLE "public"."employees", "public"."orders" WITH updated, resolved = '250ms', ` +
        `min_checkpoint_frequency = '250ms', key_in_value, topic_in_value, ${scan}, cursor = '1759246920563173000.0000000000'`,
    );
  });

test('without a sink tables of one name are told apart by their topics', () => {
  const tables = [
    { schema: 'public', table: 'orders' },
    { schema: 'archive', table: 'orders' },
  ];
  assert.match(buildSinklessChangefeed({ ...STATEMENT, tables }), /topic_in_value, full_table_name, /);
});
