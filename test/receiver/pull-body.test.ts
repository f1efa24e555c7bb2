import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatHlc } from '../../src/domain/hlc.js';
import { createEnvelopeScanner } from '../../src/receiver/envelope-scan.js';
import { bodyOf } from '../../src/receiver/pull-body.js';

const ROW = Buffer.from(
  '{"after": {"id": 1, "v": "tw\\"o"}, "key": [1], "topic": "t", "updated": "1795320930602742264.0000000000"}',
);
const RESOLVED = Buffer.from('{"resolved":"1795320930603790300.2147483647"}');

for (const [what, rows, resolved] of [
  ['rows', [ROW, ROW], null],
  ['rows and what they resolve', [ROW, ROW, ROW], RESOLVED],
  ['one row', [ROW], RESOLVED],
  ['a resolved message alone', [], RESOLVED],
  ['nothing', [], null],
] as const)
  test(`${what} make a body that the webhook's scan reads to the byte`, () => {
    const body = bodyOf(rows, resolved);
    const found: string[] = [];
    const scanned = createEnvelopeScanner()(body, ({ afterStart, afterEnd }) =>
      found.push(body.toString('utf8', afterStart, afterEnd)),
    );
    assert.deepEqual(
      found,
      rows.map(() => '{"id": 1, "v": "tw\\"o"}'),
    );
    assert.equal(
      scanned.resolved === null ? null : formatHlc(scanned.resolved),
      resolved === null ? null : '1795320930603790300.2147483647',
    );
  });
