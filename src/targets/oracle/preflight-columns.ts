import { action, createFinding, onTarget, type Finding, type Remedy } from '../../domain/finding.js';
import type { ExtraColumns } from '../../domain/extra-columns.js';
import type { SourceColumn } from '../../domain/source-table.js';
import { parseSourceType } from '../../domain/source-type.js';
import { formatTableName } from '../../domain/table.js';
import {
  boundOf,
  columnFit,
  conversionOf,
  fittingType,
  isText,
  isWidestKey,
  widenedType,
  type ColumnFit,
} from './column-fit.js';
import { columnLabel, sourceColumn, targetColumn, type MappedTable } from './mapped-table.js';
import { quoteName, quoteTable } from './names.js';
import { mayBeEmpty } from './preflight-keys.js';
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
  const collectingColumn = collecting === null ? null : targetColumn(target, collecting);
  const unsent = target.columns.filter(
    (column) => sourceColumn(source, column.name) === null && column !== collectingColumn,
  );
  return [
    ...sent,
    ...emptyBecomesNull(table),
    ...lacking.map((column) => missing(table, column, extraColumns)),
    ...(collecting === null ? [] : checkCollecting(table, collecting, lacking)),
    ...unsent.flatMap((column) => checkUnsent(table, column)),
  ];
}

function missing({ source, target }: MappedTable, column: SourceColumn, extraColumns: ExtraColumns): Finding {
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
  const type = fittingType(column, isKey);
  return createFinding('blocking', 'column.missing', {
    object: columnLabel(target, column.name),
    problem: 'the source sends this column and the target does not have it',
    found: `${column.type} on the source only`,
    remedy:
      type === null
        ? action(unsupportedRemedy(column))
        : onTarget(`ALTER TABLE ${quoteTable(target.name)} ADD (${addedColumn(column, type)})`),
  });
}

/** Named as Oracle folds it. */
function addedColumn(column: SourceColumn, type: string): string {
  const name = quoteName(column.name.toUpperCase());
  const { base, array } = parseSourceType(column.type);
  return `${name} ${type}${base === 'jsonb' || array ? ` CHECK (${name} IS JSON)` : ''}`;
}

/** The column that takes what the target lacks: needed where something lacks, and JSON in any case. */
function checkCollecting({ source, target }: MappedTable, name: string, lacking: readonly SourceColumn[]): Finding[] {
  const object = columnLabel(target, name);
  const column = targetColumn(target, name);
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
  if (own !== null || (column === null && lacking.length === 0)) return [];
  if (column !== null && collects(column)) return [];
  return [
    createFinding('blocking', 'column.collecting', {
      object,
      problem: 'apply.extraColumns names this column for what the target lacks, and it must be a CLOB or JSON',
      found: column === null ? 'no such column' : `${column.declared}${column.generated ? ', virtual' : ''}`,
      remedy:
        column === null
          ? onTarget(
              `ALTER TABLE ${quoteTable(target.name)} ADD (${quoteName(name.toUpperCase())} CLOB CHECK (${quoteName(name.toUpperCase())} IS JSON))`,
            )
          : action('Name another column in apply.extraColumns, or make this one a CLOB.'),
    }),
  ];
}

function collects({ kind, generated }: TargetColumn): boolean {
  return (kind === 'clob' || kind === 'nclob' || kind === 'json') && !generated;
}

function checkSent(table: MappedTable, column: SourceColumn, to: TargetColumn): Finding[] {
  // The target computes it itself: nothing is written.
  if (to.generated) return [];
  const isKey = table.source.primaryKey.includes(column.name);
  const findings: Finding[] = [];
  const fit = columnFit(column, to);
  if (fit === 'converts') findings.push(converted(table, column, to));
  else if (fit === 'bounded') findings.push(bounded(table, column, to));
  else if (fit === 'narrower' && isKey && isWidestKey(column, to)) findings.push(boundedKey(table, column, to));
  else if (fit !== 'fits' && !(isKey && fit === 'rounds')) findings.push(unfit(table, column, to, fit));
  if (parseSourceType(column.type).base === 'jsonb' && !to.notNull) findings.push(jsonNull(table, column, to));
  if (column.nullable && to.notNull) findings.push(refusesNull(table, to));
  if (to.identity === 'always') findings.push(identityAlways(table, to));
  if (!isKey && to.notNull && mayBeEmpty(column)) findings.push(refusesEmpty(table, column, to));
  return findings;
}

type Unfit = Exclude<ColumnFit, 'fits' | 'bounded' | 'converts'>;

const PROBLEMS: Readonly<Record<Unfit, string>> = {
  narrower: 'the target refuses values that the source may hold, and the stream halts at the first one',
  rounds: 'the target keeps fewer digits than the source may hold, and values are refused or rounded',
  incompatible: 'the target reads another kind of value',
  unsupported: "this type of CockroachDB's cannot be carried",
};

function unfit({ source, target }: MappedTable, column: SourceColumn, to: TargetColumn, fit: Unfit): Finding {
  return createFinding('blocking', `column.${fit}`, {
    object: columnLabel(target, to.name),
    problem: PROBLEMS[fit],
    found: `${column.type} on the source, ${to.declared} on the target`,
    remedy: mended(target, column, to, fit, source.primaryKey.includes(column.name)),
  });
}

function mended(
  target: MappedTable['target'],
  column: SourceColumn,
  to: TargetColumn,
  fit: Unfit,
  isKey: boolean,
): Remedy {
  const type = fit === 'unsupported' ? null : fittingType(column, isKey);
  if (type === null) return action(unsupportedRemedy(column));
  const widened = fit === 'incompatible' ? null : widenedType(column, to, isKey);
  const table = `ALTER TABLE ${quoteTable(target.name)}`;
  if (widened !== null) return onTarget(`${table} MODIFY (${quoteName(to.name)} ${widened})`);
  const [own, other] = [quoteName(to.name), quoteName(`${to.name}_NEW`)];
  return action(
    `Oracle changes no such type where there are values: ${table} ADD (${other} ${type}), copy the values, ${table} DROP COLUMN ${own}, ` +
      `${table} RENAME COLUMN ${other} TO ${own}; or limit the column on the source to what the target's takes.`,
  );
}

function bounded({ target }: MappedTable, column: SourceColumn, to: TargetColumn): Finding {
  const { likely, words } = boundOf(column, to);
  return createFinding(likely ? 'warning' : 'note', 'column.bounded', {
    object: columnLabel(target, to.name),
    problem: `this type has bounds that the source's has not: ${words}`,
    found: `${column.type} on the source, ${to.declared} on the target`,
    remedy: action('Nothing to do unless there are such values.'),
  });
}

function boundedKey({ target }: MappedTable, column: SourceColumn, to: TargetColumn): Finding {
  return createFinding('warning', 'column.bounded', {
    object: columnLabel(target, to.name),
    problem: 'a key of the target has an end, and the stream halts at a longer one',
    found: `${column.type} on the source, ${to.declared} on the target`,
    remedy: action('Nothing to do unless there are such keys; limit the type on the source to be sure.'),
  });
}

function converted({ target }: MappedTable, column: SourceColumn, to: TargetColumn): Finding {
  return createFinding('warning', 'column.converts', {
    object: columnLabel(target, to.name),
    problem: `values are taken, but not all that they say: ${conversionOf(column, to)}`,
    found: `${column.type} on the source, ${to.declared} on the target`,
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
      : onTarget(`ALTER TABLE ${quoteTable(target.name)} MODIFY (${quoteName(to.name)} NOT NULL)`),
  });
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
  return `ALTER TABLE ${quoteTable(target.name)} MODIFY (${quoteName(to.name)} NULL)`;
}

function identityAlways({ target }: MappedTable, to: TargetColumn): Finding {
  return createFinding('blocking', 'column.identity-always', {
    object: columnLabel(target, to.name),
    problem: "an identity column that takes no value cannot take the source's",
    found: 'GENERATED ALWAYS AS IDENTITY',
    remedy: onTarget(
      `ALTER TABLE ${quoteTable(target.name)} MODIFY (${quoteName(to.name)} GENERATED BY DEFAULT AS IDENTITY)`,
    ),
  });
}

/** Oracle has no empty text and no empty bytes. */
function refusesEmpty({ target }: MappedTable, column: SourceColumn, to: TargetColumn): Finding {
  return createFinding('warning', 'column.empty-text', {
    object: columnLabel(target, to.name),
    problem: `an empty ${isText(to) ? 'text' : 'value'} is NULL to Oracle, and the column is NOT NULL: the stream halts at the first one`,
    found: `${column.type} NOT NULL on the source, ${to.declared} NOT NULL on the target`,
    remedy: onTarget(dropNotNull(target, to)),
  });
}

/** ... which the comparison takes for equal. */
function emptyBecomesNull({ source, target }: MappedTable): Finding[] {
  const names = source.columns.flatMap((column) => {
    const to = column.virtual ? null : targetColumn(target, column.name);
    return to !== null && !to.notNull && !to.generated && mayBeEmpty(column) ? [to.name] : [];
  });
  if (names.length === 0) return [];
  return [
    createFinding('note', 'column.empty-text', {
      object: formatTableName(target.name),
      problem:
        'an empty text, and no bytes, arrive as NULL, as Oracle has neither; the comparison takes them for equal',
      found: names.join(', '),
      remedy: action('Nothing to do where the application reads NULL as an empty text.'),
    }),
  ];
}

function checkVirtual({ target }: MappedTable, to: TargetColumn): Finding[] {
  if (to.generated) return [];
  const blocks = to.notNull && !to.hasDefault;
  return [
    createFinding(blocks ? 'blocking' : 'warning', 'column.virtual', {
      object: columnLabel(target, to.name),
      problem: `a virtual column of the source is not sent, so new rows hold ${to.hasDefault ? 'the default' : 'NULL'} here`,
      found: `VIRTUAL on the source, ${to.declared}${to.notNull ? ' NOT NULL' : ''} on the target`,
      remedy: action('Make it a STORED column on the source, or a virtual one on the target.'),
    }),
  ];
}

function checkUnsent({ target }: MappedTable, column: TargetColumn): Finding[] {
  if (!column.notNull || column.hasDefault || column.generated || column.identity !== null) return [];
  return [
    createFinding('blocking', 'column.not-sent', {
      object: columnLabel(target, column.name),
      problem: `the source's ${formatTableName(target.name)} does not have this column, and the target needs a value`,
      found: `${column.declared} NOT NULL without a default`,
      remedy: onTarget(dropNotNull(target, column)),
    }),
  ];
}
