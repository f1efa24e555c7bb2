import { changesOf } from '../mutation.js';

const PREFLIGHT_TEST = 'test/targets/oracle/preflight.test.ts';

/** What preflight refuses on Oracle. */
export const ORACLE_MUTATIONS = [
  ...changesOf('src/targets/oracle/preflight-keys.ts', PREFLIGHT_TEST, [
    [
      '18',
      'a check on the source against the empty text is not heeded, on Oracle',
      'column.neverEmpty !== true',
      'column.enumLabels === undefined',
      'keys that Oracle tells apart less than the source are refused, the empty text among them',
    ],
    [
      '18',
      'the empty text is a key that Oracle may have',
      'to && mayBeEmpty(from) ?',
      'to && from.nullable ?',
      'keys that Oracle tells apart less than the source are refused, the empty text among them',
    ],
  ]),
  ...changesOf('src/targets/oracle/preflight-foreign-keys.ts', PREFLIGHT_TEST, [
    [
      '25',
      'actions that differ are no matter, on Oracle',
      'sameAction(onSource.onDelete, key.onDelete)',
      'true',
      'foreign keys, unique keys and checks that the source does not have are told',
    ],
  ]),
];
