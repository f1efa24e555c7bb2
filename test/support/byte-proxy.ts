import { connect, createServer, type Socket } from 'node:net';

export type Direction = 'to-server' | 'to-client';

/**
 * What is done at the chunk that completes the pattern. `pause` holds it and all that follows on that connection, both ways; `hold-answer`
 * passes it on and holds everything that comes back; `cut-before` drops it and cuts the connection; `cut-after` passes it on, then cuts.
 */
export type Deed = 'pause' | 'hold-answer' | 'cut-before' | 'cut-after';

/** Texts that must be seen one after the other on one connection, each in a chunk of its own or not; or so many bytes, where nothing can be read. */
export type Pattern = string | readonly string[] | { readonly bytes: number };

/** Stands between a client and a server and fails at a chosen byte. Only outer means: neither side knows of it. */
export interface ByteProxy {
  readonly port: number;
  /** On the first connection on which the pattern is seen in `direction` from now on: do the deed, once. Returns whether it is done. */
  arm(direction: Direction, pattern: Pattern, deed: Deed): () => boolean;
  /** How often an armed deed was done. A test asserts that its point was really hit. */
  hits(): number;
  /** Passes on what is held back. */
  resume(): void;
  /** Cuts every connection. */
  cutAll(): void;
}

interface Armed {
  readonly direction: Direction;
  readonly pattern: Exclude<Pattern, string>;
  readonly deed: Deed;
}

/** Closed after `t`, a test or a file of them, whatever its end. */
export async function startByteProxy(
  t: { after(close: () => Promise<void>): void },
  serverPort: number,
): Promise<ByteProxy> {
  const sockets = new Set<Socket>();
  let armed: Armed | null = null;
  let hits = 0;
  let release: (() => void)[] = [];

  const server = createServer((client) => {
    const upstream = connect(serverPort, '127.0.0.1');
    /** What is held back, and in which direction; null: both. */
    let held: { readonly only: Direction | null; readonly waiting: (() => void)[] } | null = null;
    const follow = createFollower();
    const cut = (): void => {
      client.destroy();
      upstream.destroy();
    };
    const hold = (only: Direction | null, waiting: (() => void)[]): void => {
      held = { only, waiting };
      release.push(() => {
        held = null;
        for (const write of waiting) write();
        // Whoever left meanwhile is missed only now.
        if (client.destroyed || upstream.destroyed) setImmediate(cut);
      });
    };
    const pass = (direction: Direction, chunk: Buffer): void => {
      const to = direction === 'to-server' ? upstream : client;
      if (held !== null && (held.only === null || held.only === direction)) {
        held.waiting.push(() => to.write(chunk));
        return;
      }
      if (armed?.direction !== direction || !follow(armed, chunk)) {
        to.write(chunk);
        return;
      }
      const { deed } = armed;
      armed = null;
      hits++;
      switch (deed) {
        case 'cut-before':
          return cut();
        case 'cut-after':
          to.write(chunk, cut);
          return;
        case 'hold-answer':
          hold(direction === 'to-server' ? 'to-client' : 'to-server', []);
          to.write(chunk);
          return;
        case 'pause':
          hold(null, [() => to.write(chunk)]);
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
    arm(direction, pattern, deed) {
      armed = { direction, pattern: typeof pattern === 'string' ? [pattern] : pattern, deed };
      const before = hits;
      return () => hits > before;
    },
    hits: () => hits,
    resume() {
      for (const go of release) go();
      release = [];
    },
    cutAll: () => sockets.forEach((socket) => socket.destroy()),
  };
}

/** Follows the armed pattern over the chunks of one connection; true at the chunk that completes it. */
function createFollower(): (armed: Armed, chunk: Buffer) => boolean {
  let followed: Armed | null = null;
  let texts: string[] = [];
  let bytes = 0;
  return (armed, chunk) => {
    if (followed !== armed) {
      followed = armed;
      bytes = 0;
      texts = 'bytes' in armed.pattern ? [] : [...armed.pattern];
    }
    if ('bytes' in armed.pattern) {
      bytes += chunk.length;
      return bytes >= armed.pattern.bytes;
    }
    while (texts[0] !== undefined && chunk.includes(texts[0])) texts.shift();
    return texts.length === 0;
  };
}
