import { NO_DEAD_LETTERS } from '../../domain/dead-letters.js';
import type { CheckpointStore } from '../target.js';
import type { CheckpointAccess } from './checkpoint-dialect.js';
import { createCheckpointRecords } from './checkpoint-records.js';
import { dropCheckpointSchemaIfEmpty, ensureCheckpointSchema } from './checkpoint-schema.js';
import { claimTables } from './claims.js';
import { inTransaction } from './sql-client.js';

export interface CheckpointStoreParts extends CheckpointAccess {
  /** The driver's errors as the target's. */
  readonly toTargetError: (error: unknown, doing: string) => Error;
  close(): Promise<void>;
}

/** So often a schema is made again that the ends of other runs have dropped meanwhile. */
const ATTEMPTS = 3;

/**
 * The rows of the checkpoint schema, over one connection of its own. After a TargetUnavailableError close it and open another. Calls may not
 * overlap.
 */
export function createCheckpointStore(parts: CheckpointStoreParts): CheckpointStore {
  const { client, dialect, schema, toTargetError } = parts;
  const rows = createCheckpointRecords(parts);
  const { exclusively } = dialect.schema;
  const alone = <T>(work: () => Promise<T>): Promise<T> =>
    exclusively === null ? work() : exclusively(client, schema, work);

  /**
   * Writes a row that may be the first: while nobody drops the tables for being empty. The end of another run may have dropped them since
   * `ensureSchema`: they are made again, and the work done once more.
   */
  const write = async <T>(doing: string, work: () => Promise<T>): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await alone(async () => {
          if (attempt > 1) await ensureCheckpointSchema(parts);
          return work();
        });
      } catch (error) {
        if (!dialect.errors.isMissingTable(error) || attempt === ATTEMPTS) throw toTargetError(error, doing);
      }
    }
  };

  /** Without the tables there is no row. */
  const unlessMissing = async <T>(doing: string, work: () => Promise<T | null>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (dialect.errors.isMissingTable(error)) return null;
      throw toTargetError(error, doing);
    }
  };

  /** A row that is not there is not changed. */
  const update = async (doing: string, work: () => Promise<void>): Promise<void> => {
    await unlessMissing(doing, async () => {
      await work();
      return null;
    });
  };

  return {
    ensureSchema: async () => {
      try {
        await alone(() => ensureCheckpointSchema(parts));
      } catch (error) {
        throw toTargetError(error, `creating the checkpoint tables in ${schema}`);
      }
    },
    insertOnce: (row) =>
      write('inserting the checkpoint row', async () => {
        await rows.insertOnce(row);
        const there = await rows.read(row.stream);
        if (!there) throw new Error(`the checkpoint row of stream ${row.stream} was removed while it was inserted`);
        return there;
      }),
    read: (stream) => unlessMissing('reading the checkpoint row', () => rows.read(stream)),
    setFeedWanted: (stream, wanted) =>
      update('recording whether a changefeed is wanted', () => rows.setFeedWanted(stream, wanted)),
    setStopAt: async (stream, stopAt) =>
      (await unlessMissing('recording where to stop', () =>
        inTransaction(client, () => rows.setStopAt(stream, stopAt)),
      )) ?? false,
    writeHold: (stream, token, hold) =>
      update('recording that the stream rests', () => rows.writeHold(stream, token, hold)),
    readHold: (stream) => unlessMissing('reading where to stop', () => rows.readHold(stream)),
    readRun: (run) => unlessMissing('reading the run', () => rows.readRun(run)),
    writeRun: (record) => write('recording the run', () => rows.writeRun(record)),
    claimTables: (run, tables) => write('claiming the target tables', () => claimTables(parts, run, tables)),
    countDeadLetters: async (stream) =>
      (await unlessMissing('counting dead letters', () => rows.countDeadLetters(stream))) ?? NO_DEAD_LETTERS,
    askReplay: async (stream) =>
      (await unlessMissing('asking for dead letters to be tried again', () => rows.askReplay(stream))) ?? 0,
    removeRun: async (run) => {
      const left = await unlessMissing('removing the run', () =>
        alone(async () => {
          const { tables } = await dialect.schema.read(client, schema);
          const letters = await inTransaction(client, async () => {
            for (const { table } of tables) if (table !== 'dead_letters') await rows.removeRun(table, run);
            return tables.some(({ table }) => table === 'dead_letters') ? rows.countLettersLeft(run) : null;
          });
          // Its own step: DDL commits by itself. Who dies before it does it at the next try.
          if (exclusively !== null) await dropCheckpointSchemaIfEmpty(parts);
          return letters;
        }),
      );
      return left ?? NO_DEAD_LETTERS;
    },
    close: () => parts.close(),
  };
}
