import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePrometheusText, type Sample } from '../../src/domain/prometheus.js';

const TABLE: readonly (readonly [what: string, text: string, expected: readonly Sample[]])[] = [
  ['a bare sample', 'up 1', [{ name: 'up', labels: {}, value: 1 }]],
  ['a time stamp', 'up 1 1712345678901', [{ name: 'up', labels: {}, value: 1 }]],
  ['an exponent', 'apply_upserts_total 1.5e+06', [{ name: 'apply_upserts_total', labels: {}, value: 1_500_000 }]],
  ['labels', 'a{x="1",y="two"} 3', [{ name: 'a', labels: { x: '1', y: 'two' }, value: 3 }]],
  ['a comma at the end', 'a{x="1",} 3', [{ name: 'a', labels: { x: '1' }, value: 3 }]],
  ['no labels in braces', 'a{} 3', [{ name: 'a', labels: {}, value: 3 }]],
  ['escapes', String.raw`a{x="q\"b\\n\n"} 3`, [{ name: 'a', labels: { x: `q"b\\n\n` }, value: 3 }]],
  ['braces and spaces inside a label', 'a{x="{b} c"} 3', [{ name: 'a', labels: { x: '{b} c' }, value: 3 }]],
  [
    'Windows line ends',
    'a 1\r\nb 2\r\n',
    [
      { name: 'a', labels: {}, value: 1 },
      { name: 'b', labels: {}, value: 2 },
    ],
  ],
  [
    'infinity',
    'a +Inf\nb -Inf',
    [
      { name: 'a', labels: {}, value: Infinity },
      { name: 'b', labels: {}, value: -Infinity },
    ],
  ],
  ['comments', '# HELP up whether\n# TYPE up gauge\n', []],
  ['a page that is none', '<html><body>404 not found</body></html>', []],
  ['a value that is none', 'a x1', []],
  ['nothing', '', []],
];

for (const [what, text, expected] of TABLE) {
  test(`Prometheus text: ${what}`, () => assert.deepEqual(parsePrometheusText(text), expected));
}

test('not a number is read as such: a lag of NaN must not look like 0', () => {
  assert.ok(Number.isNaN(parsePrometheusText('source_lag_seconds NaN')[0]?.value));
});
