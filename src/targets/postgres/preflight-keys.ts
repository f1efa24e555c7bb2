import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import type { SourceColumn } from '../../domain/source-table.js';
import { keyClassOf, parseSourceType } from '../../domain/source-type.js';
import { formatTableName } from '../../domain/table.js';
import { columnFit, parseTargetType } from './column-fit.js';
import { columnLabel, sameNames, sourceColumn, targetColumn, targetNames, type MappedTable } from './mapped-table.js';
import { quoteColumns, quoteTable } from './names.js';
import type { TargetColumn } from './table-shape.js';

/**
 * The primary keys of both sides are the same columns, and the target tells two keys apart whenever the source does
 * (protocol rule 18).
 */
export function checkKeys(table: MappedTable): Finding[] {
  const differing = checkSameKey(table);
  return [...differing, ...table.source.primaryKey.flatMap((name) => checkKeyColumn(table, name))];
}

function checkSameKey({ source, target }: MappedTable): Finding[] {
  const wanted = targetNames(target, source.primaryKey);
  const object = formatTableName(target.name);
  if (!sameNames(wanted, target.primaryKey)) {
    return [
      createFinding('blocking', 'key.differs', {
        object,
        problem: "the primary key is not the source's",
        found: `(${source.primaryKey.join(', ')}) on the source, ${target.primaryKey.length === 0 ? 'none' : `(${target.primaryKey.join(', ')})`} on the target`,
        remedy:
          target.primaryKey.length === 0
            ? onTarget(`ALTER TABLE ${quoteTable(target.name)} ADD PRIMARY KEY (${quoteColumns(wanted)})`)
            : action('Give both tables the same primary key (on CockroachDB: ALTER TABLE ... ALTER PRIMARY KEY).'),
      }),
    ];
  }
  if (!target.primaryKeyDeferrable) return [];
  return [
    createFinding('blocking', 'key.deferrable', {
      object,
      problem: 'an upsert cannot use a deferrable primary key',
      found: 'DEFERRABLE',
      remedy: action('Create the primary key again without DEFERRABLE.'),
    }),
  ];
}

function checkKeyColumn({ source, target }: MappedTable, name: string): Finding[] {
  const from = sourceColumn(source, name);
  const to = targetColumn(target, name);
  const object = columnLabel(target, to?.name ?? name);
  if (!from) return [];
  if (from.virtual) {
    return [
      createFinding('blocking', 'key.virtual', {
        object,
        problem: 'a key column that is computed on the source (hash sharding) is not among the columns sent',
        found: `${from.type} VIRTUAL`,
        remedy: action('Give the table a primary key without hash sharding on CockroachDB, or leave it out.'),
      }),
    ];
  }
  const coarse = to ? coarseness(from, to) : null;
  const refused = keyClassOf(from.type) === null || parseSourceType(from.type).base === 'interval';
  if (!refused && coarse === null) return [];
  return [
    createFinding('blocking', refused ? 'key.unsupported' : 'key.coarser', {
      object,
      problem: refused
        ? "keys of this type cannot be told apart by the changefeed's text or by the target"
        : `two keys of the source could be one on the target: ${coarse}`,
      found: `${from.type} on the source, ${to?.type ?? 'nothing'} on the target`,
      remedy: action(refused ? 'Change the type of the key, or leave the table out.' : mend(from)),
    }),
  ];
}

/** Why the target's column tells fewer keys apart than the source's; null when it does not. */
function coarseness(from: SourceColumn, to: TargetColumn): string | null {
  const { base } = parseTargetType(to.baseType);
  if (base === 'citext') return 'citext ignores case';
  if (!to.deterministic) return 'its collation is nondeterministic: different texts are equal';
  if (base === 'character') return 'char(n) ignores spaces at the end';
  if (base === 'real') return 'it keeps fewer digits';
  if (columnFit(from, to) === 'rounds') return 'it rounds';
  const isText = base === 'text' || base === 'character varying';
  if (isText && keyClassOf(from.type) !== 'exact') return "a number's spelling is not its value";
  return null;
}

function mend(from: SourceColumn): string {
  return `Change the column on the target to one that keeps every value of ${from.type} apart.`;
}
