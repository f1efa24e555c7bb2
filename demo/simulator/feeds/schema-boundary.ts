import type { Emitter } from './emitter.js';
import { hasOption, schemaPolicy, type FeedDefinition } from './definition.js';
import { SCHEMA_CHANGE_OCCURRED, TerminalFeedError, UNCATEGORIZED } from './feed-error.js';
import { compareHlc, hlcText, previousHlc, type Hlc } from './hlc.js';
import { rowText, type LogReader, type SchemaChange } from './log-reader.js';
import type { RowText } from './encode.js';
import type { Output } from './output.js';

export interface BoundaryContext {
  readonly reader: LogReader;
  readonly definition: FeedDefinition;
  readonly emitter: Emitter;
  readonly output: Output;
  /** Nothing at or below it is sent. */
  readonly start: Hlc;
  /** A job lives on after ALTER PRIMARY KEY; a changefeed without a sink ends. */
  readonly endsAtKeyChange: boolean;
}

/** Changes that rewrite the stored rows, which the feed sees as writes whatever the policy is. */
const REWRITES = new Set(['add_column_default', 'drop_column', 'alter_column']);

/**
 * Does what a changefeed does at a schema change, after every row before it was emitted. Rows are sent again by the policy, under
 * the change's own timestamp, and once more by the rewrite itself: before the change when a column comes, after it when one goes.
 * @returns the timestamp up to which everything is resolved by it, or null when nothing is
 * @throws TerminalFeedError when the feed ends here
 */
export async function passSchemaChange(context: BoundaryContext, change: SchemaChange): Promise<Hlc | null> {
  const { definition, output } = context;
  if (change.change === 'drop')
    throw new TerminalFeedError(`"${statementName(definition, change.tableId)}" was dropped`, UNCATEGORIZED);
  const rewrites = REWRITES.has(change.change);
  const newKey = change.change === 'primary_key';
  const counts =
    rewrites ||
    newKey ||
    (change.change === 'add_column' && definition.options['schema_change_events'] === 'column_changes');
  if (!counts) return null;

  const before = previousHlc(change.at);
  const adds = change.change === 'add_column_default';
  if (adds) await rewrite(context, change, change.version - 1, before, { nanos: change.at.nanos - 1n, logical: 1 });
  const policy = schemaPolicy(definition);
  // A feed that begins just before the change has passed it: it is the next one after the feed that ended here.
  const ends = policy === 'stop' || (newKey && context.endsAtKeyChange);
  if (ends && compareHlc(before, context.start) > 0) {
    await output.flush();
    await output.checkpoint(before, hasOption(definition.options, 'resolved'));
    throw new TerminalFeedError(`schema change occurred at ${hlcText(change.at)}`, SCHEMA_CHANGE_OCCURRED);
  }
  let resolved: Hlc | null = null;
  if (newKey || policy === 'backfill') {
    await output.flush();
    await output.checkpoint(before, hasOption(definition.options, 'resolved'));
    resolved = before;
  }
  if (!newKey && policy === 'backfill') await backfill(context, change, before);
  if (rewrites && !adds)
    await rewrite(context, change, change.version, change.at, { nanos: change.at.nanos, logical: 1 });
  return resolved;
}

/** The stored rows are written again without a change of the table's public columns. */
async function rewrite(
  context: BoundaryContext,
  { tableId }: SchemaChange,
  version: number,
  at: Hlc,
  updated: Hlc,
): Promise<void> {
  const { reader, emitter, output, start } = context;
  if (compareHlc(updated, start) <= 0) return;
  for await (const row of reader.scan(tableId, at)) {
    const same = rowText(row.after);
    await output.emit(await emitter({ ...row, at: updated }, { version, before: same && { version, row: same } }));
  }
}

async function backfill(
  { reader, emitter, output, definition }: BoundaryContext,
  { tableId, version, at }: SchemaChange,
  before: Hlc,
): Promise<void> {
  const earlier = new Map<string, RowText | null>();
  if (hasOption(definition.options, 'diff')) {
    for await (const row of reader.scan(tableId, before)) earlier.set(row.keyText, rowText(row.after));
  }
  for await (const row of reader.scan(tableId, at)) {
    const old = earlier.get(row.keyText);
    await output.emit(
      await emitter(row, { version, updated: at, before: old ? { version: version - 1, row: old } : null }),
    );
  }
}

export function statementName({ targets }: FeedDefinition, tableId: string): string {
  return targets.find((target) => String(target.table_id) === tableId)?.name ?? tableId;
}
