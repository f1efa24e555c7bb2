import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { transferMoney } from './bank/traffic.js';
import { IDS_BEYOND_ROWS, NEW_CUSTOMER } from './shop/schema.js';
import { trade } from './shop/traffic.js';

/** An application that writes. */
export interface Traffic {
  /** Committed so far. */
  readonly transactions: number;
  /** Resolves once what was under way is committed. */
  stop(): Promise<void>;
}

type Turn = (client: pg.Client, turn: number) => Promise<void>;

/**
 * The application on the CockroachDB side: money moves in the bank while the shop trades.
 *
 * @param pauseMs between two transactions of one connection
 * @param onError told once when a statement fails: nothing here should
 */
export async function startApplication(
  url: string,
  pauseMs: number,
  onError: (error: unknown) => void,
): Promise<Traffic> {
  const client = await connect(url);
  await client.query(IDS_BEYOND_ROWS);
  await client.end();
  return startLoops(url, pauseMs, [transferMoney, transferMoney, trade], onError);
}

/** The old application's last customers, written to the old database while the forward replicator still copies. */
export function startOldApplication(url: string, pauseMs: number, onError: (error: unknown) => void): Promise<Traffic> {
  const register: Turn = async (client, turn) => {
    await client.query(NEW_CUSTOMER, [`last-${turn}@shop.example`]);
  };
  return startLoops(url, pauseMs, [register], onError);
}

async function startLoops(
  url: string,
  pauseMs: number,
  turns: readonly Turn[],
  onError: (error: unknown) => void,
): Promise<Traffic> {
  const stop = new AbortController();
  let transactions = 0;
  const run = async (client: pg.Client, turn: Turn): Promise<void> => {
    try {
      for (let n = 0; !stop.signal.aborted; n++) {
        await turn(client, n);
        transactions += 1;
        await delay(pauseMs, undefined, { signal: stop.signal }).catch(() => undefined);
      }
    } catch (error) {
      if (!stop.signal.aborted) onError(error);
    } finally {
      await client.end().catch(() => undefined);
    }
  };
  const clients = await Promise.all(turns.map(() => connect(url)));
  const loops = turns.map((turn, index) => run(clients[index] as pg.Client, turn));
  return {
    get transactions() {
      return transactions;
    },
    async stop() {
      stop.abort();
      await Promise.all(loops);
    },
  };
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  // A broken connection shows in the next statement.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}
