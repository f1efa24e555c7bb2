import net from 'node:net';
import type { SimulatedDatabase } from '../database.js';
import { bodyOf, createFramer, errorResponse, readTexts, type Frame } from './messages.js';
import { startSession, type Session } from './session.js';

const SSL_REQUEST = 80877103;
const GSS_REQUEST = 80877104;
const CANCEL_REQUEST = 80877102;

export interface FrontOptions {
  /** 0 for any free port. */
  readonly port: number;
  readonly backend: { readonly host: string; readonly port: number };
  /** The database of that name with everything that serves it; undefined where the server has none of that name. */
  readonly databaseNamed: (name: string) => Promise<SimulatedDatabase | undefined>;
  /** Whether a connection is to be cut before its first byte. */
  readonly refuses: () => boolean;
  readonly log: (line: string) => void;
}

/** Listens on 127.0.0.1 for clients of the PostgreSQL protocol. */
export async function startFront({ port, backend, databaseNamed, refuses, log }: FrontOptions) {
  const sessions = new Set<Session>();
  const byKey = new Map<string, Session>();
  const sockets = new Set<net.Socket>();

  function connectBackend(): net.Socket {
    return net.connect({ ...backend, noDelay: true });
  }

  function cancel(frame: Frame): void {
    if (byKey.get(bodyOf(frame).subarray(4).toString('hex'))?.cancel()) return;
    const socket = connectBackend();
    socket.on('error', (error) => log(`a cancel request did not arrive: ${error.message}`));
    socket.end(frame.bytes);
  }

  async function open(client: net.Socket, startup: Frame): Promise<void> {
    const { texts } = readTexts(bodyOf(startup).subarray(4));
    const parameter = (name: string) => texts[texts.findIndex((text, at) => at % 2 === 0 && text === name) + 1];
    const user = parameter('user') ?? '';
    const name = parameter('database') ?? user;
    const database = await databaseNamed(name);
    if (!database) {
      client.end(errorResponse('3D000', `database "${name}" does not exist`, { severity: 'FATAL' }));
      return;
    }
    const socket = connectBackend();
    socket.on('error', () => client.destroy());
    socket.write(startup.bytes);
    let key = '';
    const session = startSession({
      client,
      backend: socket,
      database,
      user,
      onKey: (given, owner) => {
        key = given;
        byKey.set(given, owner);
      },
    });
    sessions.add(session);
    await session.ended;
    sessions.delete(session);
    byKey.delete(key);
  }

  /** The messages before a session: encryption is declined, a cancel request is passed on. */
  async function welcome(client: net.Socket): Promise<void> {
    const framer = createFramer(() => true);
    for (;;) {
      const frame = framer.take();
      if (!frame) {
        const chunk = await firstChunk(client);
        if (!chunk) return;
        framer.push(chunk);
        continue;
      }
      const code = bodyOf(frame).readUInt32BE(0);
      if (code === SSL_REQUEST || code === GSS_REQUEST) client.write('N');
      else if (code === CANCEL_REQUEST) {
        cancel(frame);
        client.end();
        return;
      } else return open(client, frame);
    }
  }

  const server = net.createServer({ noDelay: true, pauseOnConnect: false }, (client) => {
    sockets.add(client);
    client.on('close', () => sockets.delete(client));
    client.on('error', () => client.destroy());
    if (refuses()) {
      client.destroy();
      return;
    }
    welcome(client).catch((error: unknown) => {
      log(`a connection ended: ${(error as Error).message}`);
      client.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    port: (server.address() as net.AddressInfo).port,
    async stop(): Promise<void> {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const session of sessions) session.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      await Promise.all([...sessions].map((session) => session.ended));
    },
  };
}

/** One chunk, leaving the stream to whoever reads it next; undefined at its end. */
function firstChunk(socket: net.Socket): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    const finish = (chunk?: Buffer) => {
      socket.off('readable', read);
      socket.off('close', close);
      resolve(chunk);
    };
    const read = () => {
      const chunk = socket.read() as Buffer | null;
      if (chunk) finish(chunk);
    };
    const close = () => finish();
    socket.on('readable', read);
    socket.on('close', close);
    read();
  });
}
