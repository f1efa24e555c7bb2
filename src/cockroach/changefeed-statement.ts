import { isOfWebhook, type ChangefeedOptions } from '../domain/changefeed-options.js';
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

/** A changefeed whose rows come over the connection that asks for it. */
export type SinklessStatement = Pick<ChangefeedStatement, 'tables' | 'cursor' | 'options' | 'version'>;

/** CREATE CHANGEFEED for a stream. It holds secrets: it goes nowhere but to CockroachDB. Pure. */
export function buildCreateChangefeed(statement: ChangefeedStatement): string {
  const { tables, sinkUrl, cursor, options, authHeader, version } = statement;
  const all: ChangefeedOptions = {
    ...options,
    ...(needsFullTableName(tables) ? { full_table_name: null } : {}),
    // Protocol rule 5: a failed changefeed drops its protection from garbage collection, a paused one keeps it.
    on_error: 'pause',
    ...(isAtLeast(version, 23, 2) ? {} : { protect_data_from_gc_on_pause: null }),
    ...withoutScan(version),
    cursor: formatHlc(cursor),
    ...(authHeader === undefined ? {} : { webhook_auth_header: authHeader }),
  };
  return `CREATE CHANGEFEED FOR ${targetList(tables)} INTO ${quoteLiteral(sinkUrl)} WITH ${optionList(all)}`;
}

/**
 * The changefeed of a stream without a sink. Key and topic go into the value, as a webhook sink always has them: tables of one name in two
 * schemas are told apart by nothing else. EXPERIMENTAL CHANGEFEED FOR, the older spelling, is not needed: the grammar has had CREATE CHANGEFEED
 * without INTO since before 21.2, a 21.2 cluster has been seen to take it, and the other is deprecated since 25.2 (docs: changefeed-for). Pure.
 */
export function buildSinklessChangefeed({ tables, cursor, options, version }: SinklessStatement): string {
  const common = Object.entries(options).filter(([name]) => !isOfWebhook(name));
  return `CREATE CHANGEFEED FOR ${targetList(tables)} WITH ${optionList({
    ...Object.fromEntries(common),
    key_in_value: null,
    topic_in_value: null,
    ...(needsFullTableName(tables) ? { full_table_name: null } : {}),
    ...withoutScan(version),
    cursor: formatHlc(cursor),
  })}`;
}

/** `initial_scan` takes a value since 22.1 (docs: v22.1, export-data-with-changefeeds), not in its alphas; 22.1 takes the older word too. */
function withoutScan(version: CockroachVersion): ChangefeedOptions {
  return isAtLeast(version, 22, 2) ? { initial_scan: 'no' } : { no_initial_scan: null };
}

/** Resolved messages come no oftener than min_checkpoint_frequency, which is 30 s by itself. */
const PROBE_PACE: ChangefeedOptions = { resolved: '250ms', min_checkpoint_frequency: '250ms' };

/** A changefeed without a sink from now on: rows come over the connection until it ends. Pure. */
export function buildSinklessProbe(tables: readonly TableName[], version: CockroachVersion): string {
  return `CREATE CHANGEFEED FOR ${targetList(tables)} WITH ${optionList({ ...PROBE_PACE, ...withoutScan(version) })}`;
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
