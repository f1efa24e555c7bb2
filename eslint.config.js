import js from '@eslint/js';
import { createTypeScriptImportResolver } from 'eslint-import-resolver-typescript';
import importX from 'eslint-plugin-import-x';
import tseslint from 'typescript-eslint';

const DRIVERS = ['pg', 'mysql2', 'mysql2/promise', 'oracledb', 'lmdb'];

/** Forbids imports by exact package name or by path pattern, each with its reason. */
function forbid(...rules) {
  return {
    '@typescript-eslint/no-restricted-imports': [
      'error',
      {
        paths: rules.flatMap((rule) => (rule.names ?? []).map((name) => ({ name, message: rule.why }))),
        patterns: rules
          .filter((rule) => rule.paths)
          .map((rule) => ({
            regex: rule.paths,
            message: rule.why,
            ...(rule.typesAllowed ? { allowTypeImports: true } : {}),
          })),
      },
    ],
  };
}

const temporal = {
  paths: '^@temporalio/',
  why: 'An adapter knows nothing of Temporal: take an AbortSignal and a progress callback.',
};
const node = { paths: '^node:', why: 'This room is pure: no I/O, clock, randomness or Node.' };
const drivers = (...allowed) => ({
  names: DRIVERS.filter((name) => !allowed.includes(name)),
  why: 'Each driver is named in one folder only.',
});
const room = (names, why) => ({ paths: `^(\\.\\./)+(${names})/`, why });
const composition = room('worker|cli', 'Only worker/ and cli/ compose.');
const outside = {
  paths: '(^|/)(demo|test|bench)/',
  why: 'The product does not depend on its demo, tests or benchmarks.',
};

const noEnvironment = {
  'no-restricted-properties': [
    'error',
    { object: 'process', property: 'env', message: 'src/worker/config.ts is the only reader of process.env.' },
  ],
};

const noEnums = { selector: 'TSEnumDeclaration', message: 'Literal unions from `as const`, no enums.' };

/** No decision uses the worker's or the target's clock (protocol rule 31): durations are of performance.now(), moments are the source's. */
const clockRooms = 'apply|staging|receiver|targets|cockroach|activities|verify'.split('|');
const mayReadClock = [
  // The skew of both clocks is told to people, and decides nothing.
  'src/activities/preflight.ts',
  'src/targets/postgres/preflight-server.ts',
  'src/targets/mysql/preflight-server.ts',
  'src/targets/oracle/preflight-server.ts',
  // When the sentinel row was written is for people who find it.
  'src/targets/postgres/sentinel.ts',
  'src/targets/mysql/sentinel.ts',
  // When a row has last changed is for people, too.
  'src/targets/portable/checkpoint-ddl.ts',
  // The dates of a certificate are of the wall clock.
  'src/receiver/tls.ts',
];
const SQL_CLOCK =
  '/(?<!changed_at = |changed_at timestamptz NOT NULL DEFAULT )\\b((now|(clock|statement|transaction)_timestamp)\\(\\)|(current|local)_?time(stamp)?\\b|current_date\\b)/i';
const noClock = [
  {
    selector: "MemberExpression[object.name='Date'][property.name='now']",
    message: "No decision uses this host's clock: performance.now() for a duration, an HLC of the source for a moment.",
  },
  {
    selector: "NewExpression[callee.name='Date'][arguments.length=0], CallExpression[callee.name='Date']",
    message: "No decision uses this host's clock: performance.now() for a duration, an HLC of the source for a moment.",
  },
];
const noSqlClock = {
  selector: `TemplateElement[value.raw=${SQL_CLOCK}], Literal[value=${SQL_CLOCK}]`,
  message: "No decision uses the target's clock; `changed_at` alone is for people.",
};

const adapterRooms = 'workflows|activities|receiver|staging|apply|targets|cockroach|verify|metrics';
/** An adapter room may import domain and itself, and the rooms named in `friends`. */
function adapter(name, { driver = [], friends = [], folder = name } = {}) {
  const others = adapterRooms
    .split('|')
    .filter((other) => other !== name && !friends.includes(other))
    .join('|');
  return {
    files: [`src/${folder}/**/*.ts`],
    rules: forbid(
      temporal,
      drivers(...driver),
      composition,
      outside,
      room(others, `src/${name} may import domain${friends.length ? ', ' + friends.join(', ') : ''} and itself only.`),
    ),
  };
}

export default tseslint.config(
  { ignores: ['node_modules', '.cache', 'test/lint/planted'] },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [...tseslint.configs.recommendedTypeChecked],
    plugins: { 'import-x': importX },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    settings: {
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts'] },
      'import-x/resolver-next': [createTypeScriptImportResolver({ project: './tsconfig.json' })],
    },
    rules: {
      'import-x/no-cycle': 'error',
      '@typescript-eslint/return-await': ['error', 'in-try-catch'],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-console': 'error',
      eqeqeq: 'error',
      'no-restricted-syntax': ['error', noEnums],
    },
  },
  { files: ['src/**/*.ts'], ignores: ['src/worker/config.ts'], rules: noEnvironment },
  {
    files: clockRooms.map((name) => `src/${name}/**/*.ts`),
    ignores: mayReadClock,
    rules: { 'no-restricted-syntax': ['error', noEnums, ...noClock] },
  },
  {
    files: ['src/targets/**/*.ts'],
    ignores: mayReadClock,
    rules: { 'no-restricted-syntax': ['error', noEnums, ...noClock, noSqlClock] },
  },
  {
    files: ['src/domain/**/*.ts'],
    rules: forbid(node, { ...temporal, why: 'domain is pure and safe in the workflow bundle.' }, drivers(), outside, {
      paths: '^\\.\\./(?!domain/)',
      why: 'domain imports nothing of ours but itself.',
    }),
  },
  {
    files: ['src/workflows/**/*.ts'],
    rules: forbid(
      node,
      { paths: '^@temporalio/(?!workflow$|common$)', why: 'Workflows import @temporalio/workflow only.' },
      drivers(),
      { ...room('activities', 'Workflows import only the types of activities.'), typesAllowed: true },
      room(
        'cockroach|receiver|staging|apply|targets|verify|metrics|worker|cli',
        'Workflows import domain and activity types only.',
      ),
      outside,
    ),
  },
  {
    files: ['src/activities/**/*.ts'],
    rules: forbid(drivers(), composition, room('workflows', 'Activities do not import workflows.'), outside, {
      paths: '^@temporalio/(worker|workflow|testing)',
      why: 'Activities use @temporalio/activity, client and common.',
    }),
  },
  adapter('cockroach', { driver: ['pg'] }),
  adapter('receiver', { friends: ['staging', 'metrics'] }),
  adapter('staging'),
  adapter('staging', { folder: 'staging/lmdb', driver: ['lmdb'] }),
  adapter('staging', { folder: 'staging/sql', driver: ['pg'] }),
  adapter('targets', { driver: ['pg', 'mysql2', 'mysql2/promise', 'oracledb'] }),
  adapter('apply', { friends: ['staging', 'targets', 'metrics'] }),
  adapter('verify', { friends: ['targets', 'cockroach'] }),
  adapter('metrics'),
  { files: ['src/worker/**/*.ts', 'src/cli/**/*.ts'], rules: forbid(drivers(), outside) },
  { files: ['demo/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'], rules: { 'no-console': 'off' } },
  {
    // The simulator stands in for CockroachDB: it knows nothing of the product it is used to judge.
    files: ['demo/simulator/**/*.ts'],
    rules: forbid({ paths: '(^|/)src/', why: 'The simulator knows nothing of our receiver.' }),
  },
  {
    files: ['test/**/*.ts'],
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            { from: 'package', name: ['test', 'it', 'describe', 'suite'], package: 'node:test' },
          ],
        },
      ],
    },
  },
  {
    files: ['**/*.{js,mjs}'],
    languageOptions: {
      globals: {
        process: 'readonly',
        console: 'readonly',
        setTimeout: 'readonly',
        setInterval: 'readonly',
        clearInterval: 'readonly',
        clearTimeout: 'readonly',
        URL: 'readonly',
        fetch: 'readonly',
        AbortSignal: 'readonly',
        Buffer: 'readonly',
      },
    },
  },
);
