import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { renderExposition, type WorkerFigures } from './exposition.js';

export interface MetricsServer {
  readonly port: number;
  close(): Promise<void>;
}

/** The address is in use, or is none. */
export class MetricsStartError extends Error {
  constructor(bindAddr: string, cause: unknown) {
    super(
      `the metrics address ${bindAddr} cannot be listened on (${cause instanceof Error ? cause.message : String(cause)}): choose another FAILBACK_METRICS_ADDR`,
      { cause },
    );
    this.name = 'MetricsStartError';
  }
}

/**
 * Serves `/_/healthz` (503 until the worker polls) and `/_/varz`, without secrets.
 * @param bindAddr `host:port`, or `:port` for all addresses
 * @throws MetricsStartError
 */
export async function startMetricsServer(
  bindAddr: string,
  figures: () => WorkerFigures,
  polls: () => boolean,
): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    const [status, text] =
      path === '/_/varz'
        ? [200, renderExposition(figures())]
        : path !== '/_/healthz'
          ? [404, 'not found: /_/healthz and /_/varz are\n']
          : polls()
            ? [200, 'OK\n']
            : [503, 'the worker does not poll yet\n'];
    response.writeHead(status, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
  });
  const colon = bindAddr.lastIndexOf(':');
  try {
    server.listen(Number(bindAddr.slice(colon + 1)), bindAddr.slice(0, colon) || undefined);
    await once(server, 'listening');
  } catch (cause) {
    throw new MetricsStartError(bindAddr, cause);
  }
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}
