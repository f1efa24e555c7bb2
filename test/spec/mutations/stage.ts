import { changesOf } from '../mutation.js';

const STAGE_TEST = 'test/staging/stage.test.ts';
const LMDB_TEST = 'test/staging/lmdb-store.test.ts';
const DURABLE_TEST = 'test/receiver/durability.test.ts';

export const STAGE_MUTATIONS = [
  ...changesOf('src/staging/bound.ts', STAGE_TEST, [
    [
      'A',
      'a body of any incarnation is taken',
      'if (bound?.incarnation !== incarnation) throw',
      'if (bound === null) throw',
      'rows and resolved timestamps of another incarnation change nothing',
    ],
    [
      'A',
      'an unbound stage takes bodies',
      'if (bound?.incarnation !== incarnation) throw',
      'if (bound !== null && bound.incarnation !== incarnation) throw',
      'an unbound stage takes nothing',
    ],
    [
      'A',
      'lower incarnations are let in too',
      'if (bound?.incarnation !== incarnation) throw',
      'if (bound === null || incarnation > bound.incarnation) throw',
      'a body under way when the next incarnation is bound does not survive the bind',
    ],
  ]),
  ...changesOf('src/staging/lmdb/open-stage.ts', STAGE_TEST, [
    [
      'B',
      'binding keeps the entries of the incarnation before',
      'transaction.writes.push(() => void transaction.entries.clearAsync());',
      '',
      'bind empties and sets floor and resolved to the cursor',
    ],
    [
      'B',
      'binding leaves the floor at the beginning of time',
      'floor: cursor, resolved: cursor',
      'floor: HLC_ZERO, resolved: cursor',
      'bind empties and sets floor and resolved to the cursor',
    ],
    [
      'B',
      'what was purged is still claimed',
      'if (upTo > bound.floor) transaction.binding = { ...bound, floor: upTo };',
      '',
      'purge raises the floor, so that what it deleted is not claimed',
    ],
    [
      'B',
      'a purge goes on after the next incarnation is bound',
      ' || binds !== begun',
      '',
      'a purge of many slices that is overtaken by a bind leaves the new incarnation alone',
    ],
    [
      '3, D',
      'renewing forgets how far the stage is complete',
      'transaction.binding = { ...transaction.binding, incarnation };',
      'transaction.binding = { ...transaction.binding, incarnation, resolved: transaction.binding.floor };',
      'renew goes on as another incarnation with everything held',
    ],
  ]),
  ...changesOf('src/staging/lmdb/open-stage.ts', LMDB_TEST, [
    [
      '13',
      'a read transaction stays open',
      'store.root.resetReadTxn();',
      'store.entries.useReadTransaction();',
      'no read transaction stays open (protocol rule 13)',
    ],
  ]),
  ...changesOf('src/staging/lmdb/rewrite.ts', 'test/staging/lmdb-rewrite.test.ts', [
    [
      'B',
      'a new file lacks what is not applied',
      'from.entries.getRange({ start: FIRST })',
      'from.entries.getRange({ start: FIRST, limit: 1 })',
      'a backlog that has passed gives its disk back, and what is left is all there, after a restart too',
    ],
    [
      'B, 15',
      'a new file has another identity',
      'void to.meta.put(key, value, version ?? 0);',
      "if (key !== 'id') void to.meta.put(key, value, version ?? 0);",
      'a backlog that has passed gives its disk back, and what is left is all there, after a restart too',
    ],
  ]),
  ...changesOf('src/staging/lmdb/accept.ts', LMDB_TEST, [
    [
      '13',
      'long keys of one hash overwrite each other',
      'if (isHashed(key)) requireSameKey(transaction, folder, key, row);',
      '',
      'two keys of one hash are never taken for one',
    ],
  ]),
  ...changesOf('src/staging/lmdb/open-stage.ts', 'test/spec/gaps.test.ts', [
    [
      'B',
      'resolved goes backwards',
      'if (resolved > bound.resolved) transaction.binding =',
      'transaction.binding =',
      'a resolved timestamp that comes late takes nothing back (protocol rule B)',
    ],
  ]),
  ...changesOf('src/staging/lmdb/transaction.ts', STAGE_TEST, [
    [
      'B',
      'the binding is not written with the rows',
      'if (transaction.binding && transaction.binding !== bound) store.putBinding(transaction.binding);',
      '',
      'purge raises the floor, so that what it deleted is not claimed',
    ],
  ]),
  ...changesOf('src/staging/lmdb/accept.ts', STAGE_TEST, [
    [
      '10',
      'rows are dropped against resolved',
      'if (compareAt(row.at, committedAt) <= 0)',
      'if (compareAt(row.at, resolvedAt) <= 0)',
      'only the committed checkpoint drops',
    ],
    ['10', 'a late row is not counted', 'late++;', ';', 'only the committed checkpoint drops'],
    [
      'inv 4',
      'a redelivered row counts as new',
      'if (!transaction.entries.doesExist(key)) {',
      'if (Date.now() > 0) {',
      'a redelivery overwrites itself, within a body and across bodies',
    ],
  ]),
  ...changesOf('src/staging/lmdb/span.ts', STAGE_TEST, [
    [
      '11',
      'a window begins at C itself',
      'return encodeHlc((at + 1n) as Hlc);',
      'return encodeHlc(at);',
      'in time order, strictly after, up to and with the end',
    ],
    [
      'inv 2',
      'a window is cut inside a timestamp',
      'if (atKey === null || key.compare(atKey, 0, HLC_BYTES, 0, HLC_BYTES) !== 0) {',
      'if (Date.now() > 0) {',
      'a span never splits a timestamp (protocol rule 20)',
    ],
    [
      'inv 2',
      'a cut window claims to reach to its end',
      'if (full) return { mutations, end: at, cut: false };',
      'if (full) return { mutations, end: upTo, cut: false };',
      'a span never splits a timestamp (protocol rule 20)',
    ],
  ]),
  ...changesOf('src/staging/lmdb/store.ts', STAGE_TEST, [
    [
      '15',
      'a stage gets another id each time it is opened',
      'const id = known ?? randomUUID();',
      'const id = randomUUID();',
      'the id stays with the stage, and each stream has its own (protocol rule 15)',
    ],
  ]),
  ...changesOf('src/staging/lmdb/environment.ts', DURABLE_TEST, [
    [
      'inv 1, 14',
      'a commit is not flushed',
      'overlappingSync: false, eventTurnBatching: false',
      'overlappingSync: false, noSync: true, eventTurnBatching: false',
      'no 200 before the flush returns; killed between staging and ack, the rows are there and the resend is a redelivery',
    ],
  ]),
  ...changesOf('src/staging/lmdb/store.ts', DURABLE_TEST, [
    [
      '38',
      'two processes may have one stage folder',
      'if (owner && isOwnerAlive(owner)) throw new StageBusyError(folder);',
      '',
      'the second process is refused while the first lives, also frozen, and let in once it is killed',
    ],
    [
      '38',
      'who has lost the store writes on',
      'if (!mine) throw new StageBusyError(folder);',
      '',
      'whoever lost the store writes nothing more into it',
    ],
  ]),
  ...changesOf('src/staging/lmdb/owner.ts', DURABLE_TEST, [
    [
      '38',
      'a process number used again counts as the owner',
      'return owner.started !== null && processStart(owner.pid) === owner.started;',
      'return processStart(owner.pid) !== null;',
      'a pid that another process has by now is no owner',
    ],
  ]),
];
