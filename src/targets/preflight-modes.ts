import { action, createFinding, type Finding } from '../domain/finding.js';
import type { ForeignKey } from '../domain/source-table.js';
import { formatTableName, type TableName } from '../domain/table.js';

/** What of a target table the modes of applying depend on. */
export interface TableWithKeys {
  readonly target: { readonly name: TableName; readonly foreignKeysOut: readonly ForeignKey[] };
}

/** How changes are to be applied, as far as somebody may be surprised by it. */
export interface ApplyModes {
  readonly immediate: boolean;
  /** What the target refuses is put aside. */
  readonly deadLetters: boolean;
  /** Foreign keys and triggers are off in our transactions. */
  readonly enforcementOff: boolean;
}

export function checkModes(tables: readonly TableWithKeys[], modes: ApplyModes): Finding[] {
  return [
    ...(modes.immediate ? checkImmediate(tables, modes.enforcementOff) : []),
    ...(modes.deadLetters && !modes.enforcementOff ? checkDeadLetters(tables) : []),
  ];
}

/** Where a foreign key acts, a row that is refused halts the stream all the same: without it the rest is no state of the source (protocol rule 28). */
function checkDeadLetters(tables: readonly TableWithKeys[]): Finding[] {
  const acting = tables.filter(({ target }) =>
    target.foreignKeysOut.some((key) => acts(key.onDelete) || acts(key.onUpdate)),
  );
  if (acting.length === 0) return [];
  return [
    createFinding('warning', 'apply.dead-letters.foreign-keys', {
      object: 'apply.onBadRow',
      problem:
        'foreign keys with an action stay on: a change that is refused in their tables, or in tables bound to them by foreign keys, halts the stream instead of being put aside',
      found: `foreign keys of ${acting.map(({ target }) => formatTableName(target.name)).join(', ')}`,
      remedy: action(
        'Nothing to do, unless these rows have to be put aside too: then let enforcement be switched off.',
      ),
    }),
  ];
}

function acts(does: ForeignKey['onDelete']): boolean {
  return does === 'CASCADE' || does === 'SET NULL' || does === 'SET DEFAULT';
}

/** What immediate mode means for these tables: for whoever reads them, and for how soon their rows come (protocol rule 27). */
function checkImmediate(tables: readonly TableWithKeys[], enforcementOff: boolean): Finding[] {
  const bound = tables
    .filter(({ target }) => target.foreignKeysOut.length > 0)
    .map(({ target }) => formatTableName(target.name));
  return [
    createFinding('warning', 'apply.immediate', {
      object: 'apply.mode',
      problem: 'until a timestamp is resolved, whoever reads the target may see a part of a transaction of CockroachDB',
      found: 'immediate',
      remedy: action('Leave it so where readers can bear it; "consistent" shows whole transactions only.'),
    }),
    ...(enforcementOff || bound.length === 0
      ? []
      : [
          createFinding('warning', 'apply.immediate.foreign-keys', {
            object: 'apply.mode',
            problem:
              'foreign keys stay on: a row that comes before what it references, and every row that a foreign key may act upon, waits until its timestamp is resolved',
            found: `foreign keys of ${bound.join(', ')}`,
            remedy: action(
              'Nothing to do, unless these rows have to come sooner: then let enforcement be switched off.',
            ),
          }),
        ]),
  ];
}
