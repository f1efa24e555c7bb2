// The sender of `live.ts`: a process of its own, as CockroachDB is. It says what is resolved after each part of the bodies.
import { Agent } from 'node:https';
import { formatHlc } from '../src/domain/hlc.js';
import { httpsRequest } from '../test/support/https-client.js';
import { documentOf, keyOf, tableName, tableOf, timeOf, valuesOf, type RowShape } from './rows.js';

export interface LiveWish {
  readonly port: number;
  /** Certificate of the receiver's authority. */
  readonly ca: string;
  readonly stream: string;
  readonly shape: RowShape;
}

const ROWS_OF_A_BODY = 500;
const CONNECTIONS = 8;
/** Bodies between two resolved timestamps: 10,000 rows. */
const BODIES_OF_A_PART = 20;

function bodyOf(from: number, shape: RowShape): string {
  const rows = Array.from({ length: Math.min(ROWS_OF_A_BODY, shape.rows - from) }, (_, i) => {
    const n = from + i;
    const row = documentOf(valuesOf(n, shape));
    return `{"after":${row},"key":[${keyOf(n, shape)}],"topic":"${tableName(tableOf(n, shape))}","updated":"${formatHlc(timeOf(n))}"}`;
  });
  return `{"payload":[${rows.join()}],"length":${rows.length}}`;
}

async function send({ port, ca, stream, shape }: LiveWish): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS });
  const path = `/db/public?failback_stream=${stream}&failback_incarnation=1`;
  const post = async (body: string): Promise<void> => {
    const { status, text } = await httpsRequest({ port, path, ca, agent, body });
    if (status !== 200) throw new Error(`${status} ${text}`);
  };
  const bodies: string[] = [];
  for (let from = 0; from < shape.rows; from += ROWS_OF_A_BODY) bodies.push(bodyOf(from, shape));
  process.send?.('begins');
  for (let first = 0; first < bodies.length; first += BODIES_OF_A_PART) {
    const part = bodies.slice(first, first + BODIES_OF_A_PART);
    let next = 0;
    const connection = async (): Promise<void> => {
      for (let body = part[next++]; body !== undefined; body = part[next++]) await post(body);
    };
    await Promise.all(Array.from({ length: CONNECTIONS }, connection));
    const last = Math.min(shape.rows, (first + part.length) * ROWS_OF_A_BODY) - 1;
    await post(`{"resolved":"${formatHlc(timeOf(last))}"}`);
  }
  agent.destroy();
}

process.once('message', (wish: LiveWish) => {
  send(wish).then(
    () => process.disconnect(),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
