import type { ChangefeedOptions } from '../domain/changefeed-options.js';
import { formatHlc, type Hlc } from '../domain/hlc.js';
import type { TableName } from '../domain/table.js';
import { quoteLiteral, quoteTable } from './quoting.js';
import { isAtLeast, type CockroachVersion } from './version.js';

export interface ChangefeedStatement {
  readonly tables: readonly TableName[];
  readonly sinkUrl: string;
  readonly cursor: Hlc;
  /** Of `mergeChangefeedOptions`. */
  readonly options: ChangefeedOptions;
  /** Value of the Authorization header, e.g. `Bearer ...`. */
  readonly authHeader?: string;
  readonly version: CockroachVersion;
}

/** CREATE CHANGEFEED for a stream. It holds secrets: it goes nowhere but to CockroachDB. Pure. */
export function buildCreateChangefeed(statement: ChangefeedStatement): string {
  const { tables, sinkUrl, cursor, options, authHeader, version } = statement;
  const all: ChangefeedOptions = {
    ...options,
    ...(needsFullTableName(tables) ? { full_table_name: null } : {}),
    // Protocol rule 5: a failed changefeed drops its protection from garbage collection, a paused one keeps it.
    on_error: 'pause',
    ...(isAtLeast(version, 23, 2) ? {} : { protect_data_from_gc_on_pause: null }),
    ...(isAtLeast(version, 22, 2) ? { initial_scan: 'no' } : { no_initial_scan: null }),
    cursor: formatHlc(cursor),
    ...(authHeader === undefined ? {} : { webhook_auth_header: authHeader }),
  };
  return `CREATE CHANGEFEED FOR ${targetList(tables)} INTO ${quoteLiteral(sinkUrl)} WITH ${optionList(all)}`;
}

/** Resolved messages come no oftener than min_checkpoint_frequency, which is 30 s by itself. */
const PROBE_PACE: ChangefeedOptions = { resolved: '250ms', min_checkpoint_frequency: '250ms' };

/** A changefeed without a sink from now on: rows come over the connection until it ends. Pure. */
export function buildSinklessProbe(tables: readonly TableName[], version: CockroachVersion): string {
  const scan: ChangefeedOptions = isAtLeast(version, 22, 2) ? { initial_scan: 'no' } : { no_initial_scan: null };
  return `CREATE CHANGEFEED FOR ${targetList(tables)} WITH ${optionList({ ...PROBE_PACE, ...scan })}`;
}

/** Topics are bare table names unless two tables have one name. */
export function needsFullTableName(tables: readonly TableName[]): boolean {
  return new Set(tables.map((name) => name.table)).size < tables.length;
}

/**
 * What the changefeed writes into `topic` for a table of the list.
 * @param fullName `database.schema.table` as CockroachDB quotes it (`quote_ident` of each part)
 */
export function topicOf(name: TableName, fullName: string, tables: readonly TableName[]): string {
  return needsFullTableName(tables) ? fullName : name.table;
}

function targetList(tables: readonly TableName[]): string {
  return `TABLE ${tables.map(quoteTable).join(', ')}`;
}

function optionList(options: ChangefeedOptions): string {
  return Object.entries(options)
    .map(([name, value]) => (value === null ? name : `${name} = ${quoteLiteral(value)}`))
    .join(', ');
}
