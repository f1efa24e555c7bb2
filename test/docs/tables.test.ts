import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { FAILURES } from '../../src/domain/failures.js';
import { MESSAGE_EFFECTS, MESSAGES } from '../../src/domain/messages.js';
import { PHASES } from '../../src/domain/phases.js';
import { runbookInputSchema } from '../../src/domain/runbook-input.js';

const read = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');

test('the table of messages is the one that the program uses', () => {
  const rows = PHASES.map((phase) => {
    const cells = MESSAGES.map((message) => {
      const effect = MESSAGE_EFFECTS[phase][message];
      return typeof effect === 'string' ? effect : 'no';
    });
    return `| ${[phase, ...cells].join(' | ')} |`;
  });
  const page = read('runbook.md');
  for (const row of rows) assert.ok(page.includes(row), `docs/runbook.md lacks the row ${row}`);
});

test('every failure is documented in its own words', () => {
  const page = read('operations.md');
  for (const [type, { meaning, remedy, retryable }] of Object.entries(FAILURES)) {
    const row = `| \`${type}\` | ${meaning} | ${remedy} | ${retryable ? 'yes' : 'no'} |`;
    assert.ok(page.includes(row), `docs/operations.md lacks the row ${row}`);
  }
});

test('every field of the input is documented', () => {
  const page = read('operations.md');
  for (const [name, field] of Object.entries(runbookInputSchema.shape)) {
    assert.ok(page.includes(`\`${name}`), `docs/operations.md lacks ${name}`);
    const inner = (field as { def?: { innerType?: { shape?: object } } }).def?.innerType?.shape ?? {};
    for (const key of Object.keys(inner)) {
      assert.ok(
        page.includes(`${name}.${key}\``) || page.includes(`\`.${key}\``),
        `docs/operations.md lacks ${name}.${key}`,
      );
    }
  }
});

test('every variable of the worker is documented, and no other', () => {
  const source = readFileSync(new URL('../../src/worker/config.ts', import.meta.url), 'utf8');
  const known = new Set([...source.matchAll(/^ {2}((?:TEMPORAL|FAILBACK)_[A-Z_]+):/gm)].map((match) => match[1] ?? ''));
  assert.ok(known.size > 15, 'the variables are found in the source');
  const page = read('operations.md').split("## The worker's environment")[1]?.split('##')[0] ?? '';
  const documented = new Set([...page.matchAll(/`((?:TEMPORAL|FAILBACK)_[A-Z_]+)`/g)].map((match) => match[1] ?? ''));
  assert.deepEqual([...documented].sort(), [...known].sort());
});
