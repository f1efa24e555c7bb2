import type { Finding } from '../../domain/finding.js';
import { stagingSchema, type StagingInput } from '../../domain/staging.js';
import type { Stage } from '../stage.js';
import { connectStage, cutOff, type StageConnection } from './connection.js';
import { unavailable } from './errors.js';
import { openSqlStage } from './open-stage.js';
import { preflightStage } from './preflight.js';
import { removeStage } from './remove.js';
import { ensureStageSchema } from './schema.js';

/** A staging schema behind its connection string. Each call connects anew; nothing is opened before it is needed. */
export interface SqlStaging {
  /** What it lacks. Touches nothing. @throws StageUnavailableError */
  preflight(): Promise<readonly Finding[]>;
  /** Makes the tables, and the schema where that is asked for. @throws StageUnavailableError */
  ensure(): Promise<void>;
  /** Makes what is missing, and opens the stage of the stream; whoever has it open is shut out. @throws StageUnavailableError */
  open(stream: string): Promise<Stage>;
  /** Removes what the stream has there. Says what was done, for people. @throws StageUnavailableError */
  remove(stream: string): Promise<string | null>;
}

const REMOVED = {
  rows: 'our rows in staging schema',
  tables: 'our tables in staging schema',
  schema: 'staging schema',
} as const;

/** @param connectionString holds the password; it is never shown */
export function createSqlStaging(connectionString: string, staging: StagingInput, run: string): SqlStaging {
  const { database, schema } = stagingSchema(staging);
  const place = { connectionString, database, applicationName: `failback ${run}` };

  async function asking<T>(doing: string, work: (connection: StageConnection) => Promise<T>): Promise<T> {
    let connection: StageConnection | null = null;
    try {
      connection = await connectStage(place);
      return await work(connection);
    } catch (error) {
      throw unavailable(`staging schema ${staging.schema}`, doing, error);
    } finally {
      if (connection) cutOff(connection.client);
    }
  }

  const ensure = (): Promise<void> =>
    asking('making its tables', (connection) => ensureStageSchema(connection, schema, staging.createSchema));

  return {
    preflight: () => asking('checking it', (connection) => preflightStage(connection, schema, staging.createSchema)),
    ensure,
    async open(stream) {
      // Dropped by somebody meanwhile, it is a lost stage, and the stream begins again at its checkpoint.
      await ensure();
      return openSqlStage({ database: place, schema, stream });
    },
    remove: (stream) =>
      asking('removing what the stream has there', async (connection) => {
        const gone = (await removeStage(connection, schema, stream, staging.createSchema)).at(-1);
        return gone === undefined
          ? null
          : `${REMOVED[gone]} ${staging.schema} ${gone === 'schema' ? 'is' : 'are'} removed`;
      }),
  };
}
