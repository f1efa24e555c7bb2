import { action, createFinding, onSource, onTarget, type Finding } from '../../domain/finding.js';
import type { SourceColumn } from '../../domain/source-table.js';
import { keyClassOf, parseSourceType } from '../../domain/source-type.js';
import { formatTableName } from '../../domain/table.js';
import { columnFit, isText } from './column-fit.js';
import { columnLabel, sameNames, sourceColumn, targetColumn, targetNames, type MappedTable } from './mapped-table.js';
import { quoteName, quoteTable } from './names.js';
import type { TargetColumn } from './table-shape.js';

/**
 * The primary keys of both sides are the same columns, and the target tells two keys apart whenever the source does
 * (protocol rule 18).
 */
export function checkKeys(table: MappedTable): Finding[] {
  return [...checkSameKey(table), ...table.source.primaryKey.flatMap((name) => checkKeyColumn(table, name))];
}

function checkSameKey({ source, target }: MappedTable): Finding[] {
  const wanted = targetNames(target, source.primaryKey);
  if (sameNames(wanted, target.primaryKey)) return [];
  return [
    createFinding('blocking', 'key.differs', {
      object: formatTableName(target.name),
      problem: "the primary key is not the source's",
      found: `(${source.primaryKey.join(', ')}) on the source, ${target.primaryKey.length === 0 ? 'none' : `(${target.primaryKey.join(', ')})`} on the target`,
      remedy:
        target.primaryKey.length === 0
          ? onTarget(`ALTER TABLE ${quoteTable(target.name)} ADD PRIMARY KEY (${wanted.map(quoteName).join(', ')})`)
          : action('Give both tables the same primary key (on CockroachDB: ALTER TABLE ... ALTER PRIMARY KEY).'),
    }),
  ];
}

function checkKeyColumn(table: MappedTable, name: string): Finding[] {
  const { source, target } = table;
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
  if (!refused && coarse === null) return to && mayBeEmpty(from) ? [emptyKey(table, from, to)] : [];
  return [
    createFinding('blocking', refused ? 'key.unsupported' : 'key.coarser', {
      object,
      problem: refused
        ? "keys of this type cannot be told apart by the changefeed's text or by the target"
        : `two keys of the source could be one on the target: ${coarse}`,
      found: `${from.type} on the source, ${to === null ? 'nothing' : `${to.declared}${to.collation === null ? '' : ` COLLATE ${to.collation}`}`} on the target`,
      remedy: refused
        ? action('Change the type of the key, or leave the table out.')
        : action(
            `Change the column on the target to one that keeps every value of ${from.type} apart (a column of its own collation has to be made anew; CHAR: ALTER TABLE ... MODIFY (... VARCHAR2(n CHAR)), and trim its values).`,
          ),
    }),
  ];
}

const TEXTS_AND_BYTES: ReadonlySet<string> = new Set(['string', 'char', 'citext', 'name', '"char"', 'bytes']);

/** Of such a column, the source may hold a value that Oracle takes for NULL. */
export function mayBeEmpty(column: SourceColumn): boolean {
  const { base, array } = parseSourceType(column.type);
  return TEXTS_AND_BYTES.has(base) && !array && column.enumLabels === undefined && column.neverEmpty !== true;
}

/** Protocol rule 18. What forbids it on the source lifts the refusal. */
function emptyKey({ source, target }: MappedTable, from: SourceColumn, to: TargetColumn): Finding {
  const column = `"${from.name.replaceAll('"', '""')}"`;
  const table = [source.table.schema, source.table.table].map((one) => `"${one.replaceAll('"', '""')}"`).join('.');
  const empty = parseSourceType(from.type).base === 'bytes' ? `b''` : `''`;
  return createFinding('blocking', 'key.coarser', {
    object: columnLabel(target, to.name),
    problem: `the source takes an empty ${isText(to) ? 'text' : 'value'} for a key, which to Oracle is NULL, and no key of its`,
    found: `${from.type} on the source, ${to.declared} on the target`,
    remedy: onSource(`ALTER TABLE ${table} ADD CHECK (${column} != ${empty})`),
  });
}

/** Spelled in one way only, without capitals that differ from small letters, and without spaces. */
const TOLD_APART_BY_ANY_COLLATION: ReadonlySet<string> = new Set([
  'int8',
  'int4',
  'int2',
  'oid',
  'uuid',
  'date',
  'time',
  'bytes',
  'bit',
  'varbit',
  'inet',
  'bool',
]);

/** Why the target's column tells fewer keys apart than the source's; null when it does not. */
function coarseness(from: SourceColumn, to: TargetColumn): string | null {
  const { base } = parseSourceType(from.type);
  if (to.kind === 'binary_float') return 'it keeps fewer digits';
  if (columnFit(from, to) === 'rounds') return to.kind === 'date' ? 'a DATE has whole seconds only' : 'it rounds';
  if (!isText(to)) return null;
  if (keyClassOf(from.type) !== 'exact') return "a number's spelling is not its value";
  if (from.enumLabels === undefined && TOLD_APART_BY_ANY_COLLATION.has(base)) return null;
  if (to.kind === 'char' || to.kind === 'nchar') return `${to.declared} ignores spaces at the end`;
  return to.collation === null ? null : `under its collation ${to.collation} different texts are equal`;
}
