import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import type { SourceColumn } from '../../domain/source-table.js';
import { keyClassOf, parseSourceType } from '../../domain/source-type.js';
import { formatTableName } from '../../domain/table.js';
import type { MysqlProduct } from './client.js';
import { columnFit, fittingType } from './column-fit.js';
import { columnLabel, sameNames, sourceColumn, targetColumn, targetNames, type MappedTable } from './mapped-table.js';
import { quoteColumns, quoteTable } from './names.js';
import { modified } from './preflight-columns.js';
import type { TargetColumn } from './table-shape.js';

/**
 * The primary keys of both sides are the same columns, and the target tells two keys apart whenever the source does
 * (protocol rule 18).
 */
export function checkKeys(table: MappedTable, server: MysqlProduct): Finding[] {
  const differing = checkSameKey(table);
  return [...differing, ...table.source.primaryKey.flatMap((name) => checkKeyColumn(table, name, server))];
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
          ? onTarget(`ALTER TABLE ${quoteTable(target.name)} ADD PRIMARY KEY (${quoteColumns(wanted)})`)
          : action('Give both tables the same primary key (on CockroachDB: ALTER TABLE ... ALTER PRIMARY KEY).'),
    }),
  ];
}

function checkKeyColumn({ source, target }: MappedTable, name: string, server: MysqlProduct): Finding[] {
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
  const type = to === null ? null : exactType(from, to, server);
  return [
    createFinding('blocking', refused ? 'key.unsupported' : 'key.coarser', {
      object,
      problem: refused
        ? "keys of this type cannot be told apart by the changefeed's text or by the target"
        : `two keys of the source could be one on the target: ${coarse}`,
      found: `${from.type} on the source, ${to === null ? 'nothing' : `${to.type}${to.collation === null ? '' : ` collate ${to.collation}`}`} on the target`,
      remedy: refused
        ? action('Change the type of the key, or leave the table out.')
        : to !== null && type !== null
          ? onTarget(`ALTER TABLE ${quoteTable(target.name)} MODIFY COLUMN ${modified(to, type)}`)
          : action(`Change the column on the target to one that keeps every value of ${from.type} apart.`),
    }),
  ];
}

/** A type that tells the source's keys apart. One with an end keeps the end that it has. */
function exactType(from: SourceColumn, to: TargetColumn, server: MysqlProduct): string | null {
  const { limits } = parseSourceType(from.type);
  const longest = to.base === 'varchar' || to.base === 'char' || to.base === 'binary' ? to.length : null;
  if (limits.length > 0 || longest === null || columnFit(from, to) === 'incompatible')
    return fittingType(from, true, server);
  return fittingType({ ...from, type: `${parseSourceType(from.type).base}(${longest})` }, true, server);
}

/** Under which two texts are equal only when they are the same, spaces at the end included. */
const EXACT_COLLATION = /^binary$|_nopad_bin$|_0900_bin$/;

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
  const isUuid = base === 'uuid';
  if (to.base === 'binary' && !isUuid)
    return 'binary(n) fills up with zeros, so a key and the same with zeros at its end are one';
  if (to.base === 'float') return 'it keeps fewer digits';
  if (columnFit(from, to) === 'rounds') return 'it rounds';
  const isText = to.collation !== null && to.base !== 'enum' && to.base !== 'json';
  if (!isText) return null;
  if (keyClassOf(from.type) !== 'exact') return "a number's spelling is not its value";
  if (from.enumLabels === undefined && TOLD_APART_BY_ANY_COLLATION.has(base)) return null;
  if (to.base === 'char') return 'char(n) ignores spaces at the end';
  if (EXACT_COLLATION.test(to.collation ?? '')) return null;
  return /_bin$/.test(to.collation ?? '')
    ? `its collation ${to.collation} ignores spaces at the end`
    : `under its collation ${to.collation} different texts are equal (capitals, accents, or spaces at the end)`;
}
