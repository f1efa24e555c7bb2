import { action, createFinding, type Finding } from '../../domain/finding.js';
import { formatTableName } from '../../domain/table.js';
import type { MappedTable } from './mapped-table.js';

/** What immediate mode means for these tables: for whoever reads them, and for how soon their rows come (protocol rule 27). */
export function checkImmediate(tables: readonly MappedTable[], enforcementOff: boolean): Finding[] {
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
