import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import type { ExtraColumns } from '../../domain/extra-columns.js';
import type { SourceColumn } from '../../domain/source-table.js';
import { parseSourceType } from '../../domain/source-type.js';
import { formatTableName } from '../../domain/table.js';
import {
  boundOf,
  columnFit,
  conversionOf,
  fittingType,
  holdsAllCharacters,
  isWidestKey,
  type ColumnFit,
} from './column-fit.js';
import { columnLabel, sourceColumn, targetColumn, type MappedTable } from './mapped-table.js';
import { quoteName, quoteTable, quoteText } from './names.js';
import type { MysqlProduct } from './client.js';
import type { TargetColumn } from './table-shape.js';

/** Compares the columns of both sides: what is missing, narrower, never sent, or cannot be carried. */
export function checkColumns(table: MappedTable, extraColumns: ExtraColumns, server: MysqlProduct): Finding[] {
  const { source, target } = table;
  const lacking = source.columns.filter((column) => !column.virtual && targetColumn(target, column.name) === null);
  const sent = source.columns.flatMap((column) => {
    const to = targetColumn(target, column.name);
    if (to === null) return [];
    return column.virtual ? checkVirtual(table, to) : checkSent(table, column, to, server);
  });
  const collecting = typeof extraColumns === 'object' ? extraColumns.into : null;
  const unsent = target.columns.filter(
    (column) => sourceColumn(source, column.name) === null && column.name !== collecting,
  );
  return [
    ...sent,
    ...lacking.map((column) => missing(table, column, extraColumns, server)),
    ...(collecting === null ? [] : checkCollecting(table, collecting, lacking)),
    ...unsent.flatMap((column) => checkUnsent(table, column)),
  ];
}

function missing(
  { source, target }: MappedTable,
  column: SourceColumn,
  extraColumns: ExtraColumns,
  server: MysqlProduct,
): Finding {
  const isKey = source.primaryKey.includes(column.name);
  if (extraColumns !== 'error' && !isKey)
    return createFinding('note', 'column.extra', {
      object: columnLabel(target, column.name),
      problem:
        extraColumns === 'ignore'
          ? 'the target does not have this column, so its values are left out, and not compared'
          : `the target does not have this column, so its values are kept in "${extraColumns.into}", and not compared`,
      found: `${column.type} on the source only`,
      remedy: action('Nothing to do: apply.extraColumns asks for it.'),
    });
  const type = typeFor(column, isKey, server);
  return createFinding('blocking', 'column.missing', {
    object: columnLabel(target, column.name),
    problem: 'the source sends this column and the target does not have it',
    found: `${column.type} on the source only`,
    remedy:
      type === null
        ? action(unsupportedRemedy(column))
        : onTarget(`ALTER TABLE ${quoteTable(target.name)} ADD COLUMN ${quoteName(column.name)} ${type}`),
  });
}

function typeFor(column: SourceColumn, asKey: boolean, server: MysqlProduct): string | null {
  const labels = column.enumLabels;
  if (labels !== undefined && !parseSourceType(column.type).array)
    return `enum(${labels.map(quoteText).join(', ')}) character set utf8mb4 collate utf8mb4_bin`;
  return fittingType(column, asKey, server);
}

/** The column that takes what the target lacks: needed where something lacks, and JSON in any case. */
function checkCollecting({ source, target }: MappedTable, name: string, lacking: readonly SourceColumn[]): Finding[] {
  const object = columnLabel(target, name);
  const column = target.columns.find((one) => one.name === name);
  const own = sourceColumn(source, name);
  if (own !== null && lacking.length > 0)
    return [
      createFinding('blocking', 'column.collecting', {
        object,
        problem: 'the source sends this column itself, so it cannot take the columns that the target lacks',
        found: `${own.type} on the source`,
        remedy: action('Name another column in apply.extraColumns.'),
      }),
    ];
  if (own !== null || (column === undefined && lacking.length === 0)) return [];
  if (column?.base === 'json' && !column.generated) return [];
  return [
    createFinding('blocking', 'column.collecting', {
      object,
      problem: 'apply.extraColumns names this column for what the target lacks, and it must be JSON',
      found: column === undefined ? 'no such column' : `${column.type}${column.generated ? ', generated' : ''}`,
      remedy:
        column === undefined
          ? onTarget(`ALTER TABLE ${quoteTable(target.name)} ADD COLUMN ${quoteName(name)} json`)
          : action('Name another column in apply.extraColumns, or change this one to JSON.'),
    }),
  ];
}

function checkSent(table: MappedTable, column: SourceColumn, to: TargetColumn, server: MysqlProduct): Finding[] {
  // The target computes it itself: nothing is written.
  if (to.generated) return [];
  const isKey = table.source.primaryKey.includes(column.name);
  const findings: Finding[] = [];
  const fit = columnFit(column, to);
  if (fit === 'converts') findings.push(converted(table, column, to));
  else if (fit === 'bounded') findings.push(bounded(table, column, to, server));
  else if (fit === 'narrower' && isKey && isWidestKey(column, to)) findings.push(boundedKey(table, column, to));
  else if (fit !== 'fits' && !(isKey && fit === 'rounds')) findings.push(unfit(table, column, to, fit, server));
  if (parseSourceType(column.type).base === 'jsonb' && !to.notNull) findings.push(jsonNull(table, column, to));
  if (column.nullable && to.notNull) findings.push(refusesNull(table, to));
  return findings;
}

type Unfit = Exclude<ColumnFit, 'fits' | 'bounded' | 'converts'>;

const PROBLEMS: Readonly<Record<Unfit, string>> = {
  narrower: 'the target refuses values that the source may hold, and the stream halts at the first one',
  rounds: 'the target keeps fewer digits than the source may hold, and values are refused or rounded',
  incompatible: 'the target reads another kind of value',
  unsupported: "this type of CockroachDB's cannot be carried",
};

function unfit(
  { source, target }: MappedTable,
  column: SourceColumn,
  to: TargetColumn,
  fit: Unfit,
  server: MysqlProduct,
): Finding {
  const type = fit === 'unsupported' ? null : widened(column, to, source.primaryKey.includes(column.name), server);
  return createFinding('blocking', `column.${fit}`, {
    object: columnLabel(target, to.name),
    problem: PROBLEMS[fit],
    found: `${column.type} on the source, ${to.type}${charsetOf(to)} on the target${missingLabels(column, to)}`,
    remedy:
      type === null
        ? action(unsupportedRemedy(column))
        : onTarget(`ALTER TABLE ${quoteTable(target.name)} MODIFY COLUMN ${modified(to, type)}`),
  });
}

function charsetOf(to: TargetColumn): string {
  return to.charset === null || holdsAllCharacters(to) || to.base === 'enum' ? '' : ` character set ${to.charset}`;
}

/** MODIFY says all of the column anew: what it does not say is gone. Comments and ON UPDATE are for the person who runs it. */
export function modified(to: TargetColumn, type: string): string {
  return `${quoteName(to.name)} ${type}${to.notNull ? ' NOT NULL' : ''}${to.autoIncrement ? ' AUTO_INCREMENT' : ''}`;
}

function widened(column: SourceColumn, to: TargetColumn, asKey: boolean, server: MysqlProduct): string | null {
  if (to.base === 'enum' && column.enumLabels !== undefined) {
    const labels = [...to.enumLabels, ...column.enumLabels.filter((label) => !to.enumLabels.includes(label))];
    return `enum(${labels.map(quoteText).join(', ')}) character set utf8mb4 collate utf8mb4_bin`;
  }
  return typeFor(column, asKey, server);
}

function bounded({ target }: MappedTable, column: SourceColumn, to: TargetColumn, server: MysqlProduct): Finding {
  const { likely, words } = boundOf(column, to, server);
  return createFinding(likely ? 'warning' : 'note', 'column.bounded', {
    object: columnLabel(target, to.name),
    problem: `this type has bounds that the source's has not: ${words}`,
    found: `${column.type} on the source, ${to.type} on the target`,
    remedy: action('Nothing to do unless there are such values.'),
  });
}

function boundedKey({ target }: MappedTable, column: SourceColumn, to: TargetColumn): Finding {
  return createFinding('warning', 'column.bounded', {
    object: columnLabel(target, to.name),
    problem: 'a key of the target has an end, and the stream halts at a longer one',
    found: `${column.type} on the source, ${to.type} on the target`,
    remedy: action('Nothing to do unless there are such keys; limit the type on the source to be sure.'),
  });
}

function converted({ target }: MappedTable, column: SourceColumn, to: TargetColumn): Finding {
  return createFinding('warning', 'column.converts', {
    object: columnLabel(target, to.name),
    problem: `values are taken, but not all that they say: ${conversionOf(column, to)}`,
    found: `${column.type} on the source, ${to.type} on the target`,
    remedy: action('Nothing to do if that is meant.'),
  });
}

/** The changefeed writes both as `null`; where NULL is not allowed, the apply knows which is meant. */
function jsonNull({ target }: MappedTable, column: SourceColumn, to: TargetColumn): Finding {
  return createFinding('note', 'column.json-null', {
    object: columnLabel(target, to.name),
    problem: 'a changefeed does not tell the JSON value null from SQL NULL, so both arrive as NULL',
    found: `${column.type}, ${column.nullable ? 'nullable' : 'NOT NULL on the source only'}`,
    remedy: column.nullable
      ? action('Nothing to do unless the application tells them apart.')
      : onTarget(
          `ALTER TABLE ${quoteTable(target.name)} MODIFY COLUMN ${modified({ ...to, notNull: true }, declared(to))}`,
        ),
  });
}

function missingLabels(column: SourceColumn, to: TargetColumn): string {
  if (to.base !== 'enum' || column.enumLabels === undefined) return '';
  const labels = column.enumLabels.filter((label) => !to.enumLabels.includes(label));
  return labels.length === 0 ? '' : ` without the labels ${labels.map((label) => `'${label}'`).join(', ')}`;
}

function unsupportedRemedy(column: SourceColumn): string {
  return `Leave the table out of the stream, or drop or convert the column "${column.name}" on the source; a column that the target lacks can be left out by apply.extraColumns.`;
}

function refusesNull({ target }: MappedTable, to: TargetColumn): Finding {
  return createFinding('blocking', 'column.refuses-null', {
    object: columnLabel(target, to.name),
    problem: 'the source may hold NULL and the target refuses it',
    found: 'nullable on the source, NOT NULL on the target',
    remedy: onTarget(dropNotNull(target, to)),
  });
}

function dropNotNull(target: MappedTable['target'], to: TargetColumn): string {
  const column = modified({ ...to, notNull: false }, declared(to));
  // TIMESTAMP without a word is NOT NULL in older modes.
  return `ALTER TABLE ${quoteTable(target.name)} MODIFY COLUMN ${column} NULL`;
}

/** The column's type as it is now, with what MODIFY would otherwise take from the table's defaults. */
export function declared(to: TargetColumn): string {
  if (to.base === 'json') return 'json';
  return to.collation === null ? to.type : `${to.type} character set ${to.charset ?? ''} collate ${to.collation}`;
}

function checkVirtual({ target }: MappedTable, to: TargetColumn): Finding[] {
  if (to.generated) return [];
  const blocks = to.notNull && !to.hasDefault;
  return [
    createFinding(blocks ? 'blocking' : 'warning', 'column.virtual', {
      object: columnLabel(target, to.name),
      problem: `a virtual column of the source is not sent, so new rows hold ${to.hasDefault ? 'the default' : 'NULL'} here`,
      found: `VIRTUAL on the source, ${to.type}${to.notNull ? ' NOT NULL' : ''} on the target`,
      remedy: action('Make it a STORED column on the source, or GENERATED on the target.'),
    }),
  ];
}

function checkUnsent({ target }: MappedTable, column: TargetColumn): Finding[] {
  if (!column.notNull || column.hasDefault || column.generated || column.autoIncrement) return [];
  return [
    createFinding('blocking', 'column.not-sent', {
      object: columnLabel(target, column.name),
      problem: `the source's ${formatTableName(target.name)} does not have this column, and the target needs a value`,
      found: `${column.type} NOT NULL without a default`,
      remedy: onTarget(dropNotNull(target, column)),
    }),
  ];
}
