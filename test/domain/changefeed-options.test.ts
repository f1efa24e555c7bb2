import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  mergeChangefeedOptions,
  refuseOptions,
  RefusedOptionsError,
  type ChangefeedTuning,
} from '../../src/domain/changefeed-options.js';

const TUNING: ChangefeedTuning = {
  resolved: '1s',
  minCheckpointFrequency: '2s',
  flushBytes: 100,
  flushFrequency: '3s',
  clientTimeout: '4s',
  options: {},
};

test('the tuning becomes options; updated is always on', () => {
  assert.deepEqual(mergeChangefeedOptions(TUNING), {
    updated: null,
    resolved: '1s',
    min_checkpoint_frequency: '2s',
    webhook_sink_config: '{"Flush":{"Bytes":100,"Frequency":"3s"}}',
    webhook_client_timeout: '4s',
  });
});

test('overrides replace and add', () => {
  const merged = mergeChangefeedOptions({ ...TUNING, options: { resolved: '500ms', diff: null, compression: 'gzip' } });
  assert.equal(merged['resolved'], '500ms');
  assert.equal(merged['diff'], null);
  assert.equal(merged['compression'], 'gzip');
});

const REFUSED: readonly (readonly [string, string | null])[] = [
  ['cursor', '1.0'],
  ['initial_scan', 'yes'],
  ['no_initial_scan', null],
  ['initial_scan_only', null],
  ['end_time', '1.0'],
  ['on_error', 'fail'],
  ['on_error', 'pause'],
  ['updated', null],
  ['envelope', 'row'],
  ['envelope', 'bare'],
  ['envelope', null],
  ['format', 'avro'],
  ['key_in_value', null],
  ['topic_in_value', null],
  ['webhook_auth_header', 'Bearer x'],
  ['split_column_families', null],
  ['unordered', null],
  ['virtual_columns', 'null'],
  ['schema_change_policy', 'stop'],
  ['schema_change_policy', 'nobackfill'],
  ['full_table_name', null],
  ['nonexistent_option', null],
  ['__proto__', null],
  ['constructor', null],
  ['resolved', 'abc'],
  ['resolved', '-1s'],
  ['resolved', '0s'],
  ['resolved', null],
  ['diff', 'true'],
  ['compression', 'zstd'],
  ['webhook_sink_config', '{bad'],
  ['webhook_sink_config', '[]'],
  ['webhook_sink_config', '{"Flush":{"Bytes":10}}'],
  ['webhook_sink_config', '{"Flush":{"Bytes":-1,"Frequency":"1s"}}'],
  ['webhook_sink_config', '{"Flush":{"Messages":1,"Frequency":"abc"}}'],
  ['webhook_sink_config', '{"Retry":{"Max":0}}'],
  ['webhook_sink_config', '{"Retry":{"Max":"x"}}'],
];
for (const [option, value] of REFUSED)
  test(`refused: ${option} = ${String(value)}`, () => {
    const options = JSON.parse(`{${JSON.stringify(option)}:${JSON.stringify(value)}}`) as Record<string, string | null>;
    const [refused, ...more] = refuseOptions(options);
    assert.equal(more.length, 0);
    assert.equal(refused?.option, option);
    assert.ok((refused?.reason ?? '').length > 10);
    assert.throws(() => mergeChangefeedOptions({ ...TUNING, options }), RefusedOptionsError);
  });

const ALLOWED: readonly (readonly [string, string | null])[] = [
  ['envelope', 'wrapped'],
  ['format', 'json'],
  ['schema_change_policy', 'backfill'],
  ['mvcc_timestamp', null],
  ['gc_protect_expires_after', '24h'],
  ['webhook_client_timeout', '1m30s'],
  ['webhook_sink_config', '{"Flush":{"Messages":100,"Frequency":"5s"},"Retry":{"Max":"inf"}}'],
  ['webhook_sink_config', '{"Flush":{"Frequency":"1s"}}'],
  ['webhook_sink_config', '{}'],
];
for (const [option, value] of ALLOWED)
  test(`allowed: ${option} = ${String(value)}`, () => assert.deepEqual(refuseOptions({ [option]: value }), []));

test('every refused option is named in one message', () => {
  assert.throws(
    () => mergeChangefeedOptions({ ...TUNING, options: { cursor: '1', envelope: 'row', nope: null } }),
    /cursor: .*envelope: .*found "row".*nope: /,
  );
});

for (const option of ['webhook_client_timeout', 'webhook_sink_config', 'compression'])
  test(`with pull there is no webhook: ${option} is refused`, () => {
    const [refused, ...more] = refuseOptions({ [option]: option === 'compression' ? 'gzip' : '{}' }, 'pull');
    assert.equal(more.length, 0);
    assert.match(refused?.reason ?? '', /"intake": "pull"/);
    assert.deepEqual(refuseOptions({ diff: null }, 'pull'), []);
  });
