import { escapeIdentifier } from 'pg';
import { action, createFinding, onTarget, type Finding } from '../../domain/finding.js';
import type { SourceColumn } from '../../domain/source-table.js';
import { formatTableName } from '../../domain/table.js';
import { columnFit, fittingType, type ColumnFit } from './column-fit.js';
import { columnLabel, sourceColumn, targetColumn, type MappedTable } from './mapped-table.js';
import { quoteTable } from './names.js';
import type { TargetColumn } from './table-shape.js';

/** Compares the columns of both sides: what is missing, narrower, never sent, or cannot be carried. */
export function checkColumns({ source, target }: MappedTable): Finding[] {
  const sent = source.columns.flatMap((column) => {
    const to = targetColumn(target, column.name);
    if (column.virtual) return to ? checkVirtual({ source, target }, to) : [];
    return to ? checkSent({ source, target }, column, to) : [missing({ source, target }, column)];
  });
  const unsent = target.columns.filter((column) => sourceColumn(source, column.name) === null);
  return [...sent, ...unsent.flatMap((column) => checkUnsent({ source, target }, column))];
}

function missing({ target }: MappedTable, column: SourceColumn): Finding {
  const type = fittingType(column);
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

function checkSent(table: MappedTable, column: SourceColumn, to: TargetColumn): Finding[] {
  // The target computes it itself: nothing is written.
  if (to.generated) return [];
  const isKey = table.source.primaryKey.includes(column.name);
  const findings: Finding[] = [];
  const fit = columnFit(column, to);
  if (fit !== 'fits' && !(isKey && fit === 'rounds')) findings.push(unfit(table, column, to, fit));
  if (column.nullable && to.notNull) findings.push(refusesNull(table, to));
  if (to.identity === 'always' && !isKey) findings.push(alwaysIdentity(table, to));
  return findings;
}

const PROBLEMS: Readonly<Record<Exclude<ColumnFit, 'fits'>, string>> = {
  narrower: 'the target refuses values that the source may hold, and the stream halts at the first one',
  rounds: 'the target would round or cut values of the source silently',
  incompatible: 'the target reads another kind of value',
  unsupported: "this type of CockroachDB's cannot be carried",
};

function unfit(
  { target }: MappedTable,
  column: SourceColumn,
  to: TargetColumn,
  fit: Exclude<ColumnFit, 'fits'>,
): Finding {
  const type = fittingType(column);
  return createFinding('blocking', `column.${fit}`, {
    object: columnLabel(target, to.name),
    problem: PROBLEMS[fit],
    found: `${column.type} on the source, ${to.type} on the target${missingLabels(column, to)}`,
    remedy:
      fit === 'unsupported' || type === null
        ? action(unsupportedRemedy(column))
        : onTarget(widen(target, column, to, type)),
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
  return `Leave the table out of the stream, or drop or convert the column "${column.name}" on the source.`;
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
