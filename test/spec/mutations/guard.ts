import { changesOf } from '../mutation.js';

const GUARD_TEST = 'test/targets/postgres/guard.test.ts';
const IMMEDIATE_TEST = 'test/apply/immediate.test.ts';
const WAITS =
  'a window in whose way stands what was applied at once waits until it may reach as far, and nothing halts';
const NEVER_BACK =
  '1, 2, 3, 2 applied at once end at 3, and the window that brings them changes nothing (protocol rule 27)';
const DELETED =
  'a key that was deleted at once stays deleted when an older change of it comes late: at once, or in its window (protocol rule 27)';
const PRUNED =
  'guards go with the window that passes them, no further, and what then comes again is dropped by the checkpoint (protocol rules 11, 27)';
const STOPS = 'nothing after the stop is applied at once, and a stop that is passed is none (protocol rule 32)';

export const GUARD_MUTATIONS = [
  ...changesOf('src/targets/session/session.ts', GUARD_TEST, [
    [
      '27',
      'a window does not check again what was applied at once',
      'guarded === true ? await recheck(window) : window, putAside',
      'window, putAside',
      NEVER_BACK,
    ],
    [
      '27',
      'a delete leaves no guard',
      'await guard.raise(open.filter((change) => !left.has(change)));',
      'await guard.raise(open.filter((change) => change.after !== null && !left.has(change)));',
      DELETED,
    ],
    [
      '27',
      'what was refused leaves a guard',
      'await guard.raise(open.filter((change) => !left.has(change)));',
      'await guard.raise(open);',
      'a child before its parent is left, and the rest of the same group is applied (protocol rule 27)',
    ],
    [
      '27, inv 3',
      'the rows commit before their guards',
      'await guard.raise(open.filter((change) => !left.has(change)));',
      'await transaction.commit(); await transaction.begin(); await guard.raise(open.filter((change) => !left.has(change)));',
      'row and guard are one transaction: cut before its COMMIT, neither is there; cut after it, both are (protocol rule 27)',
    ],
    [
      '27, C',
      'who has lost the token applies at once',
      'if (held !== null) return;',
      'held ??= await row.read().then((found) => found && { applied: found.applied, stopAt: null }); if (held !== null) return;',
      'who has lost the token applies nothing at once (protocol rules C, 27)',
    ],
    [
      '27, 11',
      'what is at or before the checkpoint is applied at once',
      'at > applied && (stopAt === null || at <= stopAt)',
      'stopAt === null || at <= stopAt',
      PRUNED,
    ],
    [
      '27, 32',
      'what is after the stop is applied at once',
      'at > applied && (stopAt === null || at <= stopAt)',
      'at > applied',
      STOPS,
    ],
    [
      '27, 28',
      'a dead letter is tried over a newer change',
      'guarded === true ? guard.newer(mutations) : mutations;',
      'Promise.resolve(mutations);',
      'a dead letter is not tried again over a newer change that was applied at once, and that change’s window takes it away (rules 27, 28)',
    ],
  ]),
  ...changesOf('src/targets/postgres/guard.ts', GUARD_TEST, [
    [
      '27',
      'guards are pruned beyond the checkpoint',
      'WHERE stream = $1 AND hlc <= $2::numeric`;',
      'WHERE stream = $1 AND $2::numeric > 0`;',
      PRUNED,
    ],
  ]),
  ...changesOf('src/apply/loop.ts', IMMEDIATE_TEST, [
    ['27', 'what is applied at once goes on while a window waits for it', 'options.atOnce?.rest(true);', '', WAITS],
    ['27', 'a window in whose way something stands is not made longer', 'reach = outcome.upTo;', '', WAITS],
  ]),
  ...changesOf('src/apply/at-once.ts', IMMEDIATE_TEST, [
    [
      '27, 8',
      'a delete whose key may be of another column is applied at once',
      'changes.filter(({ at }) => at < other.at);',
      'changes;',
      'a delete whose key may be of another column is left to the loop, which halts (protocol rule 8)',
    ],
  ]),
  ...changesOf('src/targets/postgres/checkpoint-records.ts', GUARD_TEST, [
    [
      '27, 32',
      'a stop is set that what was applied at once has passed',
      'AND hlc > $2::numeric) AS outrun',
      'AND hlc > $2::numeric AND false) AS outrun',
      STOPS,
    ],
  ]),
];
