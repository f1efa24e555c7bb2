import { setTimeout as delay } from 'node:timers/promises';
import type pg from 'pg';
import { transferMoney } from './bank/traffic.js';
import { dialectOf } from './old/dialects.js';
import type { OldClient } from './old/old-database.js';
import { connect } from './pg-session.js';
import { IDS_BEYOND_ROWS } from './shop/schema.js';
import { trade } from './shop/traffic.js';

/** An application that writes. */
export interface Traffic {
  /** Committed so far. */
  readonly transactions: number;
  /** Resolves once what was under way is committed. */
  stop(): Promise<void>;
}

type Turn<Client> = (client: Client, turn: number) => Promise<void>;

interface Ending {
  end(): Promise<void>;
}

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
  const turns: Turn<pg.Client>[] = [transferMoney, transferMoney, trade];
  return startLoops(() => connect(url), pauseMs, turns, onError);
}

/** The old application's last customers, written to the old database while the forward replicator still copies. */
export function startOldApplication(url: string, pauseMs: number, onError: (error: unknown) => void): Promise<Traffic> {
  const register: Turn<OldClient> = (client, turn) => client.addCustomer(`last-${turn}@shop.example`);
  return startLoops(() => dialectOf(url).connect(url), pauseMs, [register], onError);
}

async function startLoops<Client extends Ending>(
  open: () => Promise<Client>,
  pauseMs: number,
  turns: readonly Turn<Client>[],
  onError: (error: unknown) => void,
): Promise<Traffic> {
  const stop = new AbortController();
  let transactions = 0;
  const run = async (client: Client, turn: Turn<Client>): Promise<void> => {
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
  const pairs = await Promise.all(turns.map(async (turn) => ({ turn, client: await open() })));
  const loops = pairs.map(({ client, turn }) => run(client, turn));
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
