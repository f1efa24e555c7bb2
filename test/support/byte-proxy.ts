import { connect, createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

export type Direction = 'to-server' | 'to-client';

/** What is done with the chunk in which the pattern is seen: held back with all that follows, or the connection cut. */
export type Deed = 'pause' | 'cut-before' | 'cut-after';

/** Stands between a client and a server and fails at a chosen byte. Only outer means: neither side knows of it. */
export interface ByteProxy {
  readonly port: number;
  /**
   * At the next chunk in `direction` that holds `pattern`: do the deed, once. `pause` holds this chunk and all that follows on that
   * connection, both ways; `cut-before` drops the chunk and cuts the connection; `cut-after` passes it on, then cuts.
   */
  arm(direction: Direction, pattern: string, deed: Deed): void;
  /** How often an armed deed was done. A test asserts that its point was really hit. */
  hits(): number;
  /** Passes on what `pause` holds back. */
  resume(): void;
  /** Cuts every connection. */
  cutAll(): void;
}

interface Armed {
  readonly direction: Direction;
  readonly pattern: Buffer;
  readonly deed: Deed;
}

/** Closed after the test `t`, whatever its end. */
export async function startByteProxy(t: Pick<TestContext, 'after'>, serverPort: number): Promise<ByteProxy> {
  const sockets = new Set<Socket>();
  let armed: Armed | null = null;
  let hits = 0;
  let release: (() => void)[] = [];

  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    let held: (() => void)[] | null = null;
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    const pass = (direction: Direction, chunk: Buffer): void => {
      const to = direction === 'to-server' ? upstream : client;
      if (held !== null) {
        held.push(() => to.write(chunk));
        return;
      }
      if (armed === null || armed.direction !== direction || !chunk.includes(armed.pattern)) {
        to.write(chunk);
        return;
      }
      const { deed } = armed;
      armed = null;
      hits++;
      if (deed === 'cut-before') {
        cut();
      } else if (deed === 'cut-after') {
        to.write(chunk, cut);
      } else {
        const waiting = [() => to.write(chunk)];
        held = waiting;
        release.push(() => {
          held = null;
          for (const write of waiting) write();
          // Whoever left meanwhile is missed only now.
          if (client.destroyed || upstream.destroyed) setImmediate(cut);
        });
      }
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      // A paused connection is a cable pulled: neither side hears of the other's end.
      socket.on('close', () => (sockets.delete(socket), held === null ? cut() : undefined));
      socket.on('error', () => undefined);
    }
    client.on('data', (chunk) => pass('to-server', chunk));
    upstream.on('data', (chunk) => pass('to-client', chunk));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the proxy has no port');

  t.after(async () => {
    sockets.forEach((socket) => socket.destroy());
    await new Promise((resolve) => server.close(resolve));
  });
  return {
    port: address.port,
    arm: (direction, pattern, deed) => (armed = { direction, pattern: Buffer.from(pattern), deed }),
    hits: () => hits,
    resume() {
      for (const go of release) go();
      release = [];
    },
    cutAll: () => sockets.forEach((socket) => socket.destroy()),
  };
}
