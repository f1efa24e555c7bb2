import { parseHlc, type Hlc } from '../domain/hlc.js';
import type { Cockroach } from './client.js';
import { onlyValue } from './rows.js';

const CAPTURE_CURSOR = 'SELECT cluster_logical_timestamp() AS at';

/**
 * A timestamp of the cluster's own: at or above every commit that was acknowledged before the call, below every one that begins after.
 * @throws CockroachError
 */
export async function captureCursor(cockroach: Cockroach, signal?: AbortSignal): Promise<Hlc> {
  return parseHlc(onlyValue(await cockroach.query(CAPTURE_CURSOR, [], signal ? { signal } : {}), 'at'));
}
