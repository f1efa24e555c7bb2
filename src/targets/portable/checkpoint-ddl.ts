import type { CheckpointTypes } from './checkpoint-dialect.js';

/** Tables of the checkpoint schema, in the order in which they are made. Their names on the server begin with `failback_`. */
export const CHECKPOINT_TABLES = ['checkpoint', 'run', 'claim', 'checkpoint_group', 'dead_letters', 'guard'] as const;
export type CheckpointTable = (typeof CHECKPOINT_TABLES)[number];

/** The comment by which we know again what we have made: only that is ever dropped (protocol rule 34). */
export const MADE_BY_US = 'Made by Failback. It is removed when the last run that has rows here ends.';

/** `failback_checkpoint`: the schema may be that of the application's own tables. */
export function serverName(table: CheckpointTable): string {
  return `failback_${table}`;
}

/**
 * The columns and the key of one table. No index beside it, so that one statement makes all of the table. No name is a word of any server. Text
 * that may be empty may be null as well: to Oracle it is the same.
 */
export function columnsOf(table: CheckpointTable, { text, longText, hlc, timestamp }: CheckpointTypes): string {
  const name = text(NAME);
  const changedAt = `changed_at ${timestamp} DEFAULT CURRENT_TIMESTAMP(6) NOT NULL`;
  const held = `token ${text(64)}, holder ${text(64)}`;
  const columns: Readonly<Record<CheckpointTable, readonly string[]>> = {
    checkpoint: [
      `stream ${name} NOT NULL`,
      `run ${name} NOT NULL`,
      `applied ${hlc} NOT NULL`,
      `cursor_at ${hlc} NOT NULL`,
      held,
      `stage_id ${text(64)}`,
      'incarnation INTEGER DEFAULT 0 NOT NULL',
      'feed_wanted SMALLINT DEFAULT 1 NOT NULL',
      `stop_at ${hlc}`,
      `hold_json ${text(1000)}`,
      `origin_json ${longText} NOT NULL`,
      changedAt,
      'PRIMARY KEY (stream)',
    ],
    run: [
      `run ${name} NOT NULL`,
      `phase ${text(64)} NOT NULL`,
      `state_json ${longText} NOT NULL`,
      changedAt,
      'PRIMARY KEY (run)',
    ],
    claim: [`table_name ${text(TABLE)} NOT NULL`, `run ${name} NOT NULL`, 'PRIMARY KEY (table_name)'],
    checkpoint_group: [
      `stream ${name} NOT NULL`,
      'group_number INTEGER NOT NULL',
      `run ${name} NOT NULL`,
      `tables_json ${longText} NOT NULL`,
      `applied ${hlc} NOT NULL`,
      held,
      `stop_at ${hlc}`,
      changedAt,
      'PRIMARY KEY (stream, group_number)',
    ],
    // The row is text: a json type would refuse, or change, what the target's own columns refuse. Null where a delete was refused.
    dead_letters: [
      `stream ${name} NOT NULL`,
      `source_table ${text(TABLE)} NOT NULL`,
      `key_hash ${text(HASH)} NOT NULL`,
      `letter_id ${text(36)} NOT NULL`,
      `run ${name} NOT NULL`,
      `key_text ${longText} NOT NULL`,
      `row_json ${longText}`,
      `hlc ${hlc} NOT NULL`,
      `column_name ${text(TABLE)}`,
      `error_code ${text(64)}`,
      `reason ${longText}`,
      'replay SMALLINT DEFAULT 0 NOT NULL',
      changedAt,
      'PRIMARY KEY (stream, source_table, key_hash, letter_id)',
    ],
    guard: [
      `stream ${name} NOT NULL`,
      `source_table ${text(TABLE)} NOT NULL`,
      `key_hash ${text(HASH)} NOT NULL`,
      `hlc ${hlc} NOT NULL`,
      `run ${name} NOT NULL`,
      'PRIMARY KEY (stream, source_table, key_hash)',
    ],
  };
  return columns[table].join(', ');
}

/** Characters of a stream's or a run's name, of a table's, and of a SHA-256 in hex. With four bytes each they fit one InnoDB index: 3,072 bytes. */
const NAME = 255;
const TABLE = 400;
const HASH = 64;
