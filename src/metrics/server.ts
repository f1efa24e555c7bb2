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
 * Serves `/_/healthz` and `/_/varz`, without secrets.
 * @param bindAddr `host:port`, or `:port` for all addresses
 * @throws MetricsStartError
 */
export async function startMetricsServer(bindAddr: string, figures: () => WorkerFigures): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0];
    const known = path === '/_/healthz' || path === '/_/varz';
    response.writeHead(known ? 200 : 404, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' });
    response.end(
      path === '/_/varz' ? renderExposition(figures()) : known ? 'OK\n' : 'not found: /_/healthz and /_/varz are\n',
    );
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
