import { changesOf } from '../mutation.js';

const IDENTITY_TEST = 'test/domain/source-identity.test.ts';
const CHECK_TEST = 'test/apply/source-check.test.ts';
const LOOP_TEST = 'test/apply/loop-source.test.ts';

export const SOURCE_MUTATIONS = [
  ...changesOf('src/domain/only-copy.ts', IDENTITY_TEST, [
    [
      '4',
      'the stage is the only copy for a whole TTL before anybody is told',
      'lagMs * 2 > history.ttlMs',
      'lagMs > history.ttlMs',
      'a checkpoint 7200001 ms old, history kept for 14400000: the stage is the only copy (protocol rule 4)',
    ],
  ]),
  ...changesOf('src/domain/source-identity.ts', IDENTITY_TEST, [
    [
      '9',
      'another cluster is the same',
      'began.clusterId !== now.clusterId',
      'began.clusterId === null',
      'what changed: the cluster (protocol rule 9)',
    ],
    [
      '9',
      'another table of the same name is the same',
      'if (known !== id)',
      'if (known === undefined)',
      'what changed: a table made anew (protocol rule 9)',
    ],
    [
      '8',
      'a key of the same columns in another order is the same',
      'key.every((name, n) => name === known[n])',
      'key.every((name) => known.includes(name))',
      'a key (x, y) found as (y, x) (protocol rule 8)',
    ],
  ]),
  ...changesOf('src/apply/source-check.ts', CHECK_TEST, [
    [
      '8',
      'a key that was altered and altered back is not noticed',
      'if (good !== null && end.fingerprint === good) return null;',
      'if (end.change === null) return null;',
      'keys aaaBccc after a: another at 4 (protocol rule 8)',
    ],
  ]),
  ...changesOf('src/apply/loop.ts', LOOP_TEST, [
    [
      '8',
      'deletes are applied whatever the key means',
      'const span = await beforeOtherKey(options, ahead, applied, whole);',
      'const span = whole as Awaited<ReturnType<typeof beforeOtherKey>>;',
      'a delete with another key is not applied, everything before it is, and the loop halts there (protocol rule 8)',
    ],
    [
      '8',
      'what was resolved before another key is not applied',
      'return good.mutations.length === 0 ? { error: other.error } : good;',
      'return { error: other.error };',
      'a delete with another key is not applied, everything before it is, and the loop halts there (protocol rule 8)',
    ],
    [
      '9',
      'the stream goes on beside another table',
      "if (changed?.type === 'Source.TableChanged') return { ended: 'halted', error: changed };",
      '',
      'another table halts the loop at once (protocol rule 9)',
    ],
  ]),
  ...changesOf('src/activities/late-rows.ts', 'test/activities/late-rows.test.ts', [
    [
      '10',
      'late rows are only counted',
      'if (total === told.total || ',
      'if (told.total === 0 || total === told.total || ',
      'late rows are told at once, then at most once a minute, with the count so far (protocol rule 10)',
    ],
  ]),
] as const;
