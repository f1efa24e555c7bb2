import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  formatHlc,
  hlcOf,
  HLC_BYTES,
  HLC_ZERO,
  hlcToMillis,
  InvalidHlcError,
  maxHlc,
  minHlc,
  parseHlc,
  previousHlc,
  readHlc,
  writeHlc,
} from '../../src/domain/hlc.js';

const ORDERED = [
  '0.0000000000',
  '1.0000000000',
  '1.0000000001',
  '999999999.4294967295',
  '1000000000.0000000000',
  '1795320930602742264.0000000000',
  '1795320930602742264.0000000002',
  '1795320930602742264.2147483647',
  '1795320930602742265.0000000000',
];

test('an HLC survives text and bytes, and both keep its order', () => {
  let previous = Buffer.alloc(0);
  for (const text of ORDERED) {
    const hlc = parseHlc(text);
    assert.equal(formatHlc(hlc), text);
    const bytes = Buffer.alloc(HLC_BYTES);
    writeHlc(bytes, 0, hlc);
    assert.equal(readHlc(bytes, 0), hlc);
    assert.ok(Buffer.compare(previous, bytes) < 0, `${text} sorts after its predecessor`);
    previous = bytes;
  }
  const values = ORDERED.map(parseHlc);
  assert.deepEqual(
    [...values].sort((a, b) => (a < b ? -1 : 1)),
    values,
  );
});

test('nanoseconds alone are logical 0, as CockroachDB reads a cursor', () => {
  assert.equal(parseHlc('1795321123958232817'), parseHlc('1795321123958232817.0000000000'));
});

test('what is not an HLC is refused with the text found', () => {
  for (const text of ['', 'bogus', '-1', '1.', '1.99999999999', '1e3', '1.9999999999', ' 1', '12345678901234567890']) {
    assert.throws(
      () => parseHlc(text),
      (error) => error instanceof InvalidHlcError && error.text === text,
    );
  }
});

test('neighbours, extremes and wall time', () => {
  const at = hlcOf(1_795_320_930_602_742_264n, 0);
  assert.equal(formatHlc(previousHlc(at)), '1795320930602742263.4294967295');
  assert.equal(previousHlc(HLC_ZERO), HLC_ZERO);
  assert.equal(hlcToMillis(at), 1_795_320_930_602);
  const later = hlcOf(1_795_320_930_602_742_264n, 1);
  assert.equal(maxHlc(at, later), later);
  assert.equal(minHlc(at, later), at);
});
