import pg from 'pg';
import { startSimulator, type Simulator } from '../../demo/simulator/simulator.js';
import { connectCockroach, type Cockroach } from '../../src/cockroach/client.js';
import { buildSinkUrl } from '../../src/cockroach/sink-url.js';
import type { WantedChangefeed } from '../../src/cockroach/ensure-changefeed.js';
import { mergeChangefeedOptions } from '../../src/domain/changefeed-options.js';
import { captureCursor } from '../../src/cockroach/clock.js';

/** A simulated cluster with a session of ours, and one of somebody else's. */
export interface Live {
  readonly simulator: Simulator;
  readonly cockroach: Cockroach;
  /** Runs a statement as root, past our client. */
  sql(text: string, values?: readonly unknown[]): Promise<Record<string, unknown>[]>;
  connectAs(user: string): Promise<Cockroach>;
  stop(): Promise<void>;
}

export async function startLive(): Promise<Live> {
  const simulator = await startSimulator();
  const root = new pg.Client({ connectionString: simulator.url() });
  await root.connect();
  const sessions: Cockroach[] = [];
  const connectAs = async (user: string) => {
    const connectionString = simulator.url(undefined, user);
    const session = await connectCockroach({ connectionString, applicationName: 'failback test' });
    sessions.push(session);
    return session;
  };
  return {
    simulator,
    cockroach: await connectAs('root'),
    async sql(text, values = []) {
      return (await root.query<Record<string, unknown>>(text, [...values])).rows;
    },
    connectAs,
    async stop() {
      for (const session of sessions) await session.close();
      await root.end();
      await simulator.stop();
    },
  };
}

export const OPTIONS = mergeChangefeedOptions({
  resolved: '250ms',
  minCheckpointFrequency: '250ms',
  flushBytes: 1_048_576,
  flushFrequency: '1s',
  clientTimeout: '10s',
  options: {},
});

/** A changefeed of the stream over table `t`, into an address where nobody listens: jobs are what is tested. */
export async function wantedChangefeed(
  cockroach: Cockroach,
  stream: string,
  incarnation: number,
  more: Partial<WantedChangefeed> = {},
): Promise<WantedChangefeed> {
  return {
    stream,
    incarnation,
    tables: [{ schema: 'public', table: 't' }],
    sinkUrl: buildSinkUrl({ host: '127.0.0.1', port: 9, path: ['db', 'public'], stream, incarnation, tls: {} }),
    cursor: await captureCursor(cockroach),
    options: OPTIONS,
    ...more,
  };
}
