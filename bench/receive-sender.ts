// The sender of `receive.ts`: a process of its own, as CockroachDB is.
import { Agent } from 'node:https';
import { httpsRequest } from '../test/support/https-client.js';

export interface SendWish {
  readonly port: number;
  /** Certificate of the receiver's authority. */
  readonly ca: string;
  readonly connections: number;
  /** Rows of a body. */
  readonly rows: number;
  /** Number of the first body: no row is sent twice. */
  readonly first: number;
  readonly bodies: number;
}

export interface Sent {
  readonly ms: number;
  readonly problem: string | null;
}

/** The n-th body, as the webhook sink writes it: about 200 bytes a row. */
export function bodyOf(n: number, rows: number): string {
  const items = Array.from({ length: rows }, (_, i) => {
    const id = n * rows + i;
    return `{"after":{"amount":${id}.50,"id":${id},"note":"${'note '.repeat(12)}","state":"open","v":null},"key":[${id}],"topic":"t","updated":"${1795320930602742264n + BigInt(id)}.0000000000"}`;
  });
  return `{"payload":[${items.join()}],"length":${rows}}`;
}

async function send(wish: SendWish): Promise<Sent> {
  const agent = new Agent({ keepAlive: true, maxSockets: wish.connections });
  const bodies = Array.from({ length: wish.bodies }, (_, i) => bodyOf(wish.first + i, wish.rows));
  const start = performance.now();
  let next = 0;
  const connection = async (): Promise<void> => {
    for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
      const sink = '/db/public?failback_stream=bench&failback_incarnation=1';
      const answer = await httpsRequest({ port: wish.port, path: sink, ca: wish.ca, agent, body });
      if (answer.status !== 200) throw new Error(`${answer.status} ${answer.text}`);
    }
  };
  try {
    await Promise.all(Array.from({ length: wish.connections }, connection));
    return { ms: performance.now() - start, problem: null };
  } catch (error) {
    return { ms: 0, problem: String(error) };
  } finally {
    agent.destroy();
  }
}

process.on('message', (wish: SendWish) => void send(wish).then((sent) => process.send?.(sent)));
