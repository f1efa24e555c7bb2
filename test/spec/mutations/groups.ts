import { changesOf } from '../mutation.js';

const GROUPS_TEST = 'test/apply/groups.test.ts';
const STUCK = 'a group whose rows are locked holds up no other, and the stream’s row stays with it';
const TAKEN =
  'takes the token of all groups at once; the old attempt writes nothing more in any (protocol rules 26 and D)';
const STOP = 'a stop is refused that any group has passed, and no window passes one that is set';
const REGROUPED = 'from one checkpoint to groups, and back once all are where the furthest is';

export const GROUPS_MUTATIONS = [
  ...changesOf('src/targets/postgres/checkpoint-groups.ts', GROUPS_TEST, [
    [
      '26, D',
      'a takeover leaves the groups their old token',
      'UPDATE ${groups} SET token = $2,',
      'UPDATE ${groups} SET token = token,',
      TAKEN,
    ],
    [
      '26',
      'the stream’s row follows the group that is furthest',
      'SELECT min(g.applied)',
      'SELECT max(g.applied)',
      STUCK,
    ],
    [
      '26',
      'an attempt that was overtaken groups the tables anew',
      'if (!(await isOurs(token))) return false;',
      'await isOurs(token);',
      'is not done by an attempt that has been overtaken',
    ],
    [
      '26, 24',
      'a takeover ends only the session that holds the stream’s row',
      '(await isThere()) ? ((await client.query(END_HOLDERS, [stream])).rowCount ?? 0) > 0 : row.endHolder(),',
      'row.endHolder(),',
      'ends the session that holds the row of any group (protocol rule 24)',
    ],
  ]),
  ...changesOf('src/targets/postgres/checkpoint-store.ts', GROUPS_TEST, [
    [
      '26, 32',
      'a stop is taken that a group has passed',
      'if (grouped && !(await rows.setGroupsStopAt(stream, stopAt))) throw new StopPassed();',
      'if (grouped) await rows.setGroupsStopAt(stream, stopAt);',
      STOP,
    ],
    [
      '26, 32',
      'the groups’ rows do not know of the stop',
      'if (grouped && !(await rows.setGroupsStopAt(stream, stopAt))) throw new StopPassed();',
      '',
      STOP,
    ],
  ]),
  ...changesOf('src/apply/groups.ts', GROUPS_TEST, [
    [
      '26',
      'the tables are grouped anew while one group is behind',
      'if (stored.some((group) => group.applied !== furthest)) {',
      'if (furthest === null) {',
      REGROUPED,
    ],
    [
      '26, 13',
      'what a group has applied before the others is never purged',
      'stage.binding()?.resolved ?? applied];',
      'applied];',
      'what one group has applied before the others is purged when they come there, without another change',
    ],
    [
      '26, 8',
      'a source that has changed halts the groups that are behind',
      'if (isKeyChange(end)) last ??= stage.binding()?.resolved ?? null;\n    else over.abort();',
      'over.abort();',
      'another key at the source: all that was resolved before is applied in every group, then it halts (protocol rule 8)',
    ],
  ]),
  ...changesOf('src/apply/progress.ts', GROUPS_TEST, [
    [
      '26, 11',
      'purge and intake go by the group that is furthest',
      'minHlc(all.applied, part.applied)',
      '(all.applied > part.applied ? all.applied : part.applied)',
      STUCK,
    ],
  ]),
  ...changesOf('src/apply/shared-reads.ts', 'test/apply/shared-reads.test.ts', [
    [
      '26',
      'a group is given the changes of other tables',
      'if (!tables.has(mutation.table)) continue;\n      const last',
      'const last',
      'a group reads its own tables, whole timestamps, within the limits, however much of others is between',
    ],
    [
      '26, 20',
      'a slice ends within a timestamp',
      'const whole = span.cut ? span.mutations.findIndex(({ at }) => at === span.end) : span.mutations.length;',
      'const whole = span.mutations.length;',
      'a group reads its own tables, whole timestamps, within the limits, however much of others is between',
    ],
  ]),
  ...changesOf('src/apply/attempt.ts', GROUPS_TEST, [
    [
      '26, 15',
      'a stage that knows less than one of the groups has applied is kept',
      'maxHlc(most, applied)',
      'most',
      'a stage that knows less than any group has applied is not ours (protocol rule 15)',
    ],
  ]),
];
