import { escapeIdentifier } from 'pg';
import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import type { ExtraColumns } from '../../domain/extra-columns.js';
import type { SourceColumn } from '../../domain/source-table.js';
import { parseSourceType } from '../../domain/source-type.js';
import { formatTableName } from '../../domain/table.js';
import { columnFit, conversionOf, fittingType, type ColumnFit } from './column-fit.js';
import { columnLabel, sourceColumn, targetColumn, type MappedTable } from './mapped-table.js';
import { quoteTable } from './names.js';
import type { TargetColumn } from './table-shape.js';

/** Compares the columns of both sides: what is missing, narrower, never sent, or cannot be carried. */
export function checkColumns(table: MappedTable, extraColumns: ExtraColumns): Finding[] {
  const { source, target } = table;
  const lacking = source.columns.filter((column) => !column.virtual && targetColumn(target, column.name) === null);
  const sent = source.columns.flatMap((column) => {
    const to = targetColumn(target, column.name);
    if (to === null) return [];
    return column.virtual ? checkVirtual(table, to) : checkSent(table, column, to);
  });
  const collecting = typeof extraColumns === 'object' ? extraColumns.into : null;
  const unsent = target.columns.filter(
    (column) => sourceColumn(source, column.name) === null && column.name !== collecting,
  );
  return [
    ...sent,
    ...lacking.map((column) => missing(table, column, extraColumns)),
    ...(collecting === null ? [] : checkCollecting(table, collecting, lacking)),
    ...unsent.flatMap((column) => checkUnsent(table, column)),
  ];
}

function missing({ source, target }: MappedTable, column: SourceColumn, extraColumns: ExtraColumns): Finding {
  const type = fittingType(column);
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
  return createFinding('blocking', 'column.missing', {
    object: columnLabel(target, column.name),
    problem: 'the source sends this column and the target does not have it',
    found: `${column.type} on the source only`,
    remedy:
      type === null
        ? action(unsupportedRemedy(column))
        : onTarget(`ALTER TABLE ${quoteTable(target.name)} ADD COLUMN ${escapeIdentifier(column.name)} ${type}`),
  });
}

/** The column that takes what the target lacks: needed where something lacks, and jsonb in any case. */
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
  if (column?.baseType === 'jsonb' && !column.generated) return [];
  const alter = `ALTER TABLE ${quoteTable(target.name)}`;
  return [
    createFinding('blocking', 'column.collecting', {
      object,
      problem: 'apply.extraColumns names this column for what the target lacks, and it must be jsonb',
      found: column === undefined ? 'no such column' : `${column.type}${column.generated ? ', generated' : ''}`,
      remedy:
        column === undefined
          ? onTarget(`${alter} ADD COLUMN ${escapeIdentifier(name)} jsonb`)
          : action('Name another column in apply.extraColumns, or change this one to jsonb.'),
    }),
  ];
}

function checkSent(table: MappedTable, column: SourceColumn, to: TargetColumn): Finding[] {
  // The target computes it itself: nothing is written.
  if (to.generated) return [];
  const isKey = table.source.primaryKey.includes(column.name);
  const findings: Finding[] = [];
  const fit = columnFit(column, to);
  if (fit === 'converts') findings.push(converted(table, column, to));
  else if (fit !== 'fits' && !(isKey && fit === 'rounds')) findings.push(unfit(table, column, to, fit));
  if (parseSourceType(column.type).base === 'jsonb' && !to.notNull) findings.push(jsonNull(table, column, to));
  if (column.nullable && to.notNull) findings.push(refusesNull(table, to));
  if (to.identity === 'always' && !isKey) findings.push(alwaysIdentity(table, to));
  return findings;
}

type Unfit = Exclude<ColumnFit, 'fits' | 'converts'>;

const PROBLEMS: Readonly<Record<Unfit, string>> = {
  narrower: 'the target refuses values that the source may hold, and the stream halts at the first one',
  rounds: 'the target keeps fewer digits than the source may hold, and values are refused or rounded',
  incompatible: 'the target reads another kind of value',
  unsupported: "this type of CockroachDB's cannot be carried",
};

/** PostGIS would read it; what is lost before is not to be had again. */
const SHAPE = 'a changefeed sends this type as GeoJSON without its SRID, so a shape would not arrive as it is';

function isShape(column: SourceColumn): boolean {
  return /^(geometry|geography)$/.test(parseSourceType(column.type).base);
}

function unfit({ target }: MappedTable, column: SourceColumn, to: TargetColumn, fit: Unfit): Finding {
  const type = fittingType(column);
  return createFinding('blocking', `column.${fit}`, {
    object: columnLabel(target, to.name),
    problem: fit === 'unsupported' && isShape(column) ? SHAPE : PROBLEMS[fit],
    found: `${column.type} on the source, ${to.type} on the target${missingLabels(column, to)}`,
    remedy:
      fit === 'unsupported' || type === null
        ? action(unsupportedRemedy(column))
        : onTarget(widen(target, column, to, type)),
  });
}

function converted({ target }: MappedTable, column: SourceColumn, to: TargetColumn): Finding {
  return createFinding('warning', 'column.converts', {
    object: columnLabel(target, to.name),
    problem: `every value is taken, but not all that it says: ${conversionOf(column, to)}`,
    found: `${column.type} on the source, ${to.type} on the target`,
    remedy: action(`Nothing to do if that is meant; else change the column on the target to ${fittingType(column)}.`),
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
      : onTarget(`ALTER TABLE ${quoteTable(target.name)} ALTER COLUMN ${escapeIdentifier(to.name)} SET NOT NULL`),
  });
}

function missingLabels(column: SourceColumn, to: TargetColumn): string {
  if (to.typeKind !== 'e' || column.enumLabels === undefined) return '';
  const labels = column.enumLabels.filter((label) => !to.enumLabels.includes(label));
  return labels.length === 0 ? '' : ` without the labels ${labels.map((label) => `'${label}'`).join(', ')}`;
}

function widen(target: MappedTable['target'], column: SourceColumn, to: TargetColumn, type: string): string {
  if (to.typeKind === 'e' && column.enumLabels !== undefined) {
    const labels = column.enumLabels.filter((label) => !to.enumLabels.includes(label));
    const enumType = to.baseType.replace(/\[\]$/, '');
    return labels.map((label) => `ALTER TYPE ${enumType} ADD VALUE '${label.replaceAll("'", "''")}'`).join('; ');
  }
  const name = escapeIdentifier(to.name);
  return `ALTER TABLE ${quoteTable(target.name)} ALTER COLUMN ${name} TYPE ${type} USING ${name}::${type}`;
}

function unsupportedRemedy(column: SourceColumn): string {
  return `Leave the table out of the stream, or drop or convert the column "${column.name}" on the source; a column that the target lacks can be left out by apply.extraColumns.`;
}

function refusesNull({ target }: MappedTable, to: TargetColumn): Finding {
  return createFinding('blocking', 'column.refuses-null', {
    object: columnLabel(target, to.name),
    problem: 'the source may hold NULL and the target refuses it',
    found: 'nullable on the source, NOT NULL on the target',
    remedy: onTarget(`ALTER TABLE ${quoteTable(target.name)} ALTER COLUMN ${escapeIdentifier(to.name)} DROP NOT NULL`),
  });
}

function alwaysIdentity({ target }: MappedTable, to: TargetColumn): Finding {
  return createFinding('blocking', 'column.identity-always', {
    object: columnLabel(target, to.name),
    problem: "an identity column outside the key cannot be updated to the source's value",
    found: 'GENERATED ALWAYS AS IDENTITY',
    remedy: onTarget(
      `ALTER TABLE ${quoteTable(target.name)} ALTER COLUMN ${escapeIdentifier(to.name)} SET GENERATED BY DEFAULT`,
    ),
  });
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
  const fills = column.hasDefault || column.generated || column.identity !== null;
  if (!column.notNull || fills) return [];
  return [
    createFinding('blocking', 'column.not-sent', {
      object: columnLabel(target, column.name),
      problem: `the source's ${formatTableName(target.name)} does not have this column, and the target needs a value`,
      found: `${column.type} NOT NULL without a default`,
      remedy: onTarget(
        `ALTER TABLE ${quoteTable(target.name)} ALTER COLUMN ${escapeIdentifier(column.name)} DROP NOT NULL`,
      ),
    }),
  ];
}
