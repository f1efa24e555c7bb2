import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ESLint, type Linter } from 'eslint';
import tseslint from 'typescript-eslint';

/** The dependency rules, each with a planted violation: a rule that never fires is no rule. */
const RESTRICTED = '@typescript-eslint/no-restricted-imports';
const SYNTAX = 'no-restricted-syntax';

interface Planted {
  readonly file: string;
  readonly code: string;
  /** null: this one is allowed. */
  readonly rule: string | null;
}

const PLANTED: readonly Planted[] = [
  { file: 'src/domain/planted.ts', code: `import 'node:fs';`, rule: RESTRICTED },
  { file: 'src/domain/planted.ts', code: `import '@temporalio/common';`, rule: RESTRICTED },
  { file: 'src/domain/planted.ts', code: `import 'pg';`, rule: RESTRICTED },
  { file: 'src/domain/planted.ts', code: `import '../apply/loop.js';`, rule: RESTRICTED },
  { file: 'src/domain/planted.ts', code: `import './hlc.js';`, rule: null },
  { file: 'src/workflows/planted.ts', code: `import 'node:crypto';`, rule: RESTRICTED },
  { file: 'src/workflows/planted.ts', code: `import '@temporalio/activity';`, rule: RESTRICTED },
  { file: 'src/workflows/deep/planted.ts', code: `import '@temporalio/client';`, rule: RESTRICTED },
  { file: 'src/workflows/planted.ts', code: `import '@temporalio/workflow';`, rule: null },
  { file: 'src/workflows/planted.ts', code: `import { x } from '../activities/x.js';\nx();`, rule: RESTRICTED },
  {
    file: 'src/workflows/planted.ts',
    code: `import type { X } from '../activities/x.js';\nexport type Y = X;`,
    rule: null,
  },
  { file: 'src/workflows/planted.ts', code: `import '../worker/config.js';`, rule: RESTRICTED },
  { file: 'src/activities/planted.ts', code: `import 'pg';`, rule: RESTRICTED },
  { file: 'src/activities/planted.ts', code: `import '../workflows/failback.js';`, rule: RESTRICTED },
  { file: 'src/activities/planted.ts', code: `import '@temporalio/worker';`, rule: RESTRICTED },
  { file: 'src/apply/planted.ts', code: `import '@temporalio/activity';`, rule: RESTRICTED },
  { file: 'src/apply/planted.ts', code: `import 'lmdb';`, rule: RESTRICTED },
  { file: 'src/apply/planted.ts', code: `import '../receiver/server.js';`, rule: RESTRICTED },
  { file: 'src/apply/planted.ts', code: `import '../staging/stage.js';`, rule: null },
  { file: 'src/receiver/planted.ts', code: `import '../targets/target.js';`, rule: RESTRICTED },
  { file: 'src/staging/planted.ts', code: `import 'pg';`, rule: RESTRICTED },
  { file: 'src/staging/planted.ts', code: `import 'lmdb';`, rule: RESTRICTED },
  { file: 'src/staging/lmdb/planted.ts', code: `import 'lmdb';`, rule: null },
  { file: 'src/staging/lmdb/planted.ts', code: `import 'pg';`, rule: RESTRICTED },
  { file: 'src/staging/sql/planted.ts', code: `import 'pg';`, rule: null },
  { file: 'src/staging/sql/planted.ts', code: `import 'lmdb';`, rule: RESTRICTED },
  { file: 'src/targets/planted.ts', code: `import 'pg';`, rule: null },
  { file: 'src/targets/planted.ts', code: `import 'lmdb';`, rule: RESTRICTED },
  { file: 'src/cockroach/planted.ts', code: `import '../targets/target.js';`, rule: RESTRICTED },
  { file: 'src/verify/planted.ts', code: `import '../apply/loop.js';`, rule: RESTRICTED },
  { file: 'src/worker/planted.ts', code: `import 'pg';`, rule: RESTRICTED },
  { file: 'src/worker/planted.ts', code: `import '../../demo/main.js';`, rule: RESTRICTED },
  { file: 'src/apply/planted.ts', code: `export const x = process.env['X'];`, rule: 'no-restricted-properties' },
  { file: 'src/worker/config.ts', code: `export const x = process.env['X'];`, rule: null },
  { file: 'demo/simulator/planted.ts', code: `import '../../src/domain/hlc.js';`, rule: RESTRICTED },
  {
    file: 'src/apply/planted.ts',
    code: `export async function f(): Promise<number> { try { return g(); } catch { return 0; } }\nasync function g(): Promise<number> { return await Promise.resolve(1); }`,
    rule: '@typescript-eslint/return-await',
  },
  {
    file: 'src/apply/planted.ts',
    code: `export function f(): void { g(); }\nasync function g(): Promise<void> { await Promise.resolve(); }`,
    rule: '@typescript-eslint/no-floating-promises',
  },
  { file: 'src/domain/planted.ts', code: `export enum Colour { Red }`, rule: SYNTAX },
  { file: 'src/apply/planted.ts', code: `export enum Colour { Red }`, rule: SYNTAX },
  ...['apply', 'staging', 'receiver', 'targets', 'cockroach', 'activities', 'verify'].map((room) => ({
    file: `src/${room}/planted.ts`,
    code: `export const now = Date.now();`,
    rule: SYNTAX,
  })),
  { file: 'src/apply/planted.ts', code: `export const clock = Date.now;`, rule: SYNTAX },
  { file: 'src/apply/deep/planted.ts', code: `export const now = new Date();`, rule: SYNTAX },
  { file: 'src/apply/planted.ts', code: `export const now = Date();`, rule: SYNTAX },
  { file: 'src/apply/planted.ts', code: `export const then = new Date(5);`, rule: null },
  { file: 'src/apply/planted.ts', code: `export const started = performance.now();`, rule: null },
  { file: 'src/worker/planted.ts', code: `export const now = Date.now();`, rule: null },
  ...['now()', 'clock_timestamp()', 'CURRENT_TIMESTAMP', 'localtime'].map((clock) => ({
    file: 'src/targets/postgres/planted.ts',
    code: `export const sql = 'SELECT 1 WHERE ends_at < ${clock}';`,
    rule: SYNTAX,
  })),
  { file: 'src/targets/planted.ts', code: 'export const sql = `UPDATE t SET at = now()`;', rule: SYNTAX },
  { file: 'src/targets/planted.ts', code: 'export const sql = `UPDATE t SET changed_at = now()`;', rule: null },
];

const typed = new ESLint({
  overrideConfig: {
    languageOptions: { parserOptions: { projectService: { allowDefaultProject: ['src/apply/planted.ts'] } } },
  },
});
/** Most rules need no types, and building types for a file that is not there is slow. */
const withoutTypes = [
  tseslint.configs.disableTypeChecked,
  { languageOptions: { parserOptions: { projectService: false } } },
] as Linter.Config[];
const untyped = new ESLint({
  overrideConfig: [...withoutTypes, { rules: { 'import-x/no-cycle': 'off' } }],
});
const NEEDS_TYPES = ['@typescript-eslint/return-await', '@typescript-eslint/no-floating-promises'];

test('each dependency rule refuses its planted violation and nothing else', async () => {
  for (const { file, code, rule } of PLANTED) {
    const eslint = NEEDS_TYPES.includes(rule ?? '') ? typed : untyped;
    const [result] = await eslint.lintText(`${code}\n`, { filePath: file });
    const found = (result?.messages ?? []).map((message) => message.ruleId);
    assert.ok(!found.includes(null), `${file}: ${code}: ${result?.messages[0]?.message}`);
    if (rule === null) {
      const broken = found.filter((id) => [RESTRICTED, SYNTAX, 'no-restricted-properties'].includes(id ?? ''));
      assert.deepEqual(broken, [], `${file}: "${code}" is allowed`);
    } else {
      assert.ok(found.includes(rule), `${file}: "${code}" must break ${rule}, found ${found.join(', ') || 'nothing'}`);
    }
  }
});

test('no room that decides reads the clock of its host or of the target (protocol rule 31)', async () => {
  const results = await untyped.lintFiles(['src/{apply,staging,receiver,targets,cockroach,activities,verify}/**/*.ts']);
  assert.ok(results.length > 80, `${results.length} files`);
  const found = results.flatMap(({ filePath, messages }) =>
    messages.filter(({ ruleId }) => ruleId === SYNTAX).map(({ line, message }) => `${filePath}:${line}: ${message}`),
  );
  assert.deepEqual(found, []);
});

test('an import cycle over .js specifiers is found', async () => {
  const withPlanted = new ESLint({ ignore: false, overrideConfig: withoutTypes });
  const results = await withPlanted.lintFiles(['test/lint/planted/cycle/a.ts']);
  const found = results.flatMap((result) => result.messages.map((message) => message.ruleId));
  assert.ok(found.includes('import-x/no-cycle'), `found ${JSON.stringify(results[0]?.messages)}`);
});
