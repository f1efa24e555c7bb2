import { createServer } from 'node:net';

// Below the range (32768 on Linux) from which the kernel takes ports for outgoing connections: a part that is down for a
// moment gets its own port again.
const LOWEST = 18_000;
const HIGHEST = 32_000;

/** A TCP port on which nothing listens on 127.0.0.1 now. Another process may take it: who binds it retries with another. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = LOWEST + Math.floor(Math.random() * (HIGHEST - LOWEST));
    if (await canBind(port)) return port;
  }
  throw new Error(`no free port between ${LOWEST} and ${HIGHEST} on 127.0.0.1 in 100 attempts: what listens there?`);
}

function canBind(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
