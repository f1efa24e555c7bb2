import { changesOf } from '../mutation.js';

export const CURSOR_MUTATIONS = [
  ...changesOf('src/domain/at-cursor.ts', 'test/domain/at-cursor.test.ts', [
    [
      '1',
      'rows written before the cursor are missed until the finish',
      'if (compared.differing === 0) return',
      'if (compared.rows > 0) return',
      'at the cursor: one row that differs waits for a person (protocol rule 1)',
    ],
    [
      '1',
      'both sides are not compared at the cursor',
      'return applied === cursor ? null : movedOn;',
      'return movedOn;',
      'rows are compared where the target stands at the cursor (protocol rule 1)',
    ],
  ]),
];
