import { action, createFinding, onSource, type Finding } from '../domain/finding.js';
import { formatTableName, type TableName } from '../domain/table.js';
import type { IntrospectedTable, KeyColumnFacts } from './introspect.js';
import { quoteTable } from './quoting.js';

/** A table of the input that CockroachDB does not have. */
export function missingTable(name: TableName, database: string): Finding {
  return createFinding('blocking', 'table.missing', {
    object: formatTableName(name),
    problem: `there is no such table in database ${database}`,
    found: 'nothing',
    remedy: action('Correct "tables" in the input: schema.table, spelled as SHOW TABLES prints it.'),
  });
}

/** What a table's own shape does to its changefeed. Pure. */
export function findTableProblems(table: IntrospectedTable): readonly Finding[] {
  const object = formatTableName(table.table);
  return [
    ...familyProblems(table, object),
    ...table.keyColumns.flatMap((column) => keyProblems(table, object, column)),
    ...columnProblems(table, object),
  ];
}

function familyProblems(table: IntrospectedTable, object: string): readonly Finding[] {
  if (table.columnFamilies <= 1) return [];
  return [
    createFinding('blocking', 'table.columnFamilies', {
      object,
      problem: 'a changefeed sends each column family by itself, so a row never arrives whole',
      found: `${table.columnFamilies} column families`,
      remedy: action(
        'Put all columns into one family: create the table anew with one FAMILY, copy the rows and rename it.',
      ),
    }),
  ];
}

function keyProblems(table: IntrospectedTable, object: string, column: KeyColumnFacts): readonly Finding[] {
  const where = `${object}.${column.name}`;
  if (column.virtual)
    return [
      createFinding('blocking', 'key.virtual', {
        object: where,
        problem:
          'this key column is virtual (a hash-sharded key has one): the changefeed sends it in keys and not in rows',
        found: `${column.type} VIRTUAL`,
        remedy: action(
          'Change the primary key to stored columns: ALTER TABLE ... ALTER PRIMARY KEY USING COLUMNS (...).',
        ),
      }),
    ];
  if (column.hidden && column.name === 'rowid')
    return [
      createFinding('blocking', 'key.rowid', {
        object,
        problem: 'the table has no primary key of its own, so nothing tells its rows apart on the other side',
        found: 'the hidden column rowid',
        remedy: onSource(
          `ALTER TABLE ${quoteTable(table.table)} ALTER PRIMARY KEY USING COLUMNS (<columns NOT NULL and unique>);`,
        ),
      }),
    ];
  if (column.keyClass === null)
    return [
      createFinding('blocking', 'key.collated', {
        object: where,
        problem:
          'a delete sends the collation bytes of this key column in place of its text, so the row could not be found',
        found: column.type,
        remedy: action('Make the key column a plain STRING, or leave the table out.'),
      }),
    ];
  return [];
}

function columnProblems(table: IntrospectedTable, object: string): readonly Finding[] {
  return table.columns.flatMap((column) => {
    if (!column.virtual || table.primaryKey.includes(column.name)) return [];
    return [
      createFinding('warning', 'column.virtual', {
        object: `${object}.${column.name}`,
        problem: 'a changefeed does not send virtual columns',
        found: `${column.type} VIRTUAL`,
        remedy: action('Let the target compute it too, or leave the column out there.'),
      }),
    ];
  });
}
