import { createRowEncoder, type EnvelopeOptions, type RowEncoder, type RowText } from './encode.js';
import { envelopeKind, hasOption, type FeedDefinition } from './definition.js';
import type { Hlc } from './hlc.js';
import type { JsonStyle } from './json-text.js';
import { rowText, type LoggedRow, type LogReader, type TableVersion } from './log-reader.js';

export interface EmittedRow {
  readonly tableId: string;
  /** The table's name at the row's time: a rename changes it, the topic stays. */
  readonly table: string;
  readonly key: string;
  readonly value: string;
  /** The same for equal keys whatever their text. */
  readonly orderKey: string;
}

/** How one row is to be sent when it is not simply what the log says. */
export interface Emission {
  /** The timestamp to send it with: a scan's or a backfill's. */
  readonly updated?: Hlc;
  /** The version of the table whose columns it is sent with. */
  readonly version?: number;
  readonly before?: { readonly version: number; readonly row: RowText } | null;
}

export type Emitter = (row: LoggedRow, emission?: Emission) => Promise<EmittedRow>;

export function envelopeOptions({ options }: FeedDefinition, style: JsonStyle): EnvelopeOptions {
  // A webhook sink has no other place for key and topic: they are always in the value.
  const webhook = style === 'compact';
  return {
    kind: envelopeKind(options),
    style,
    virtualColumns: options['virtual_columns'] === 'null' ? 'null' : 'omitted',
    updated: hasOption(options, 'updated'),
    diff: hasOption(options, 'diff'),
    mvccTimestamp: hasOption(options, 'mvcc_timestamp'),
    keyInValue: webhook || hasOption(options, 'key_in_value'),
    topicInValue: webhook || hasOption(options, 'topic_in_value'),
  };
}

export function createEmitter(reader: LogReader, definition: FeedDefinition, style: JsonStyle): Emitter {
  const options = envelopeOptions(definition, style);
  const topics = new Map(definition.targets.map((target) => [String(target.table_id), target.topic]));
  const encoders = new Map<string, { version: TableVersion; encode: RowEncoder }>();

  async function encoderFor(
    tableId: string,
    version: number,
    beforeVersion: number,
  ): Promise<{ version: TableVersion; encode: RowEncoder }> {
    const id = `${tableId}/${version}/${beforeVersion}`;
    const known = encoders.get(id);
    if (known) return known;
    const table = await reader.version(tableId, version);
    const before = await reader.version(tableId, beforeVersion);
    const made = {
      version: table,
      encode: createRowEncoder(table.shape, topics.get(tableId) ?? table.name, options, before.shape),
    };
    encoders.set(id, made);
    return made;
  }

  return async (row, emission = {}) => {
    const { before: override } = emission;
    const version = emission.version ?? row.version;
    const beforeVersion = override?.version ?? version;
    const { version: table, encode } =
      encoders.get(`${row.tableId}/${version}/${beforeVersion}`) ??
      (await encoderFor(row.tableId, version, beforeVersion));
    const after = rowText(row.after);
    const before = override === undefined ? (options.diff ? rowText(row.before) : null) : (override?.row ?? null);
    // A live row's key has the row's own text; only a deleted one is read back from the index.
    const key = after === null ? (rowText(row.keyText) ?? []) : table.keyAt.map((index) => after[index] ?? null);
    const encoded = encode({ key, after, before, updated: emission.updated ?? row.at, mvcc: row.at });
    return { tableId: row.tableId, table: table.name, orderKey: `${row.tableId}/${row.keyText}`, ...encoded };
  };
}
