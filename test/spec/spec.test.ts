import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readTap, replaceOnce } from './lane.js';
import type { NamedTest } from './mutation.js';
import { MUTATIONS } from './mutations/index.js';
import { lineOf, renderSpec } from './page.js';
import { NOT_YET, RULES } from './rules/index.js';
import { testTitles } from './titles.js';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const read = (file: string): string => readFileSync(path.join(root, file), 'utf8');

/** Every rule that there is; a new one is added here first. */
const LETTERS = ['A', 'B', 'C', 'D'];
const INVARIANTS = 9;
const NUMBERS = 39;

test('every invariant and rule is on the page, once', () => {
  const all = [
    ...Array.from({ length: INVARIANTS }, (_, i) => `inv ${i + 1}`),
    ...LETTERS,
    ...Array.from({ length: NUMBERS }, (_, i) => String(i + 1)),
  ];
  const named = [...RULES.map(({ name }) => name), ...NOT_YET.map(([name]) => name)];
  assert.deepEqual([...named].sort(), [...all].sort());
  assert.deepEqual(
    MUTATIONS.flatMap(({ rules }) => rules).filter((rule) => !all.includes(rule)),
    [],
  );
});

test('docs/SPEC.md is what the rules and the code make it: files, lines and titles', () => {
  assert.equal(read('docs/SPEC.md'), renderSpec(root), 'run `npm run spec -- --write` and look at what has changed');
});

test('every test that is named is there', () => {
  const missing = [...RULES.flatMap(({ tests }) => tests), ...MUTATIONS.map((mutation) => mutation.test)]
    .filter((named) => !isThere(named))
    .map(({ file, title }) => `${file}: ${title}`);
  assert.deepEqual(missing, []);
});

test('every mutation changes exactly one place of the product', () => {
  for (const { file, find, replace } of MUTATIONS) {
    assert.match(file, /^src\//);
    assert.notEqual(replaceOnce(read(file), find, replace, file), read(file));
  }
});

test('a rule without a place, a test or a mutation says what is open; the carrying ones have several mutations', () => {
  const count = (rule: string) => MUTATIONS.filter(({ rules }) => rules.includes(rule)).length;
  for (const { name, kept, tests, open } of RULES)
    if (kept.length === 0 || tests.length === 0 || count(name) === 0) assert.ok(open, `rule ${name} is silent`);
  for (const name of [...LETTERS, 'inv 1', 'inv 2', 'inv 3']) assert.ok(count(name) >= 3, `${name}: ${count(name)}`);
});

test('the checks themselves see what is wrong', () => {
  assert.ok(isThere({ file: 'test/spec/spec.test.ts', title: 'every test that is named is there' }));
  assert.ok(!isThere({ file: 'test/spec/spec.test.ts', title: ['every test', 'that is named'].join(' ') }));
  assert.ok(!isThere({ file: 'test/spec/none.test.ts', title: 'x' }));
  assert.throws(() => lineOf('a\na', { file: 'f', marker: 'a' }), /2 times/);
  assert.equal(lineOf('x\ny z', { file: 'f', marker: 'z' }), 2);
  assert.throws(() => replaceOnce('b', 'a', 'c', 'f'), /0 times/);
  const tap = 'ok 1 - a\n    not ok 2 - b \\#1\nok 3 - c # SKIP test name does not match pattern\nnot ok 4 - other\n';
  assert.deepEqual(readTap(tap, ['a', 'b #1', 'c']), { passed: new Set(['a']), failed: new Set(['b #1']) });
});

/** By a title in its source, or in that of a suite that it runs; one of a table may stand there as a text of its own. */
function isThere({ file, title }: NamedTest): boolean {
  if (!existsSync(path.join(root, file))) return false;
  const own = read(file);
  const suites = [...own.matchAll(/ from '(\..*-suite)\.js';/g)].map(([, suite = '']) =>
    read(path.join(path.dirname(file), `${suite}.ts`)),
  );
  const source = [own, ...suites].join('\n');
  return testTitles(source).some((pattern) => pattern.test(title)) || source.includes(`'${title}'`);
}
