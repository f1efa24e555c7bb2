import type { Cockroach } from '../cockroach/client.js';
import type { Place } from '../domain/place.js';
import type { CheckpointStore } from '../targets/target.js';
import type { StagingInput } from '../domain/staging.js';
import type { SqlStaging } from '../staging/sql/staging.js';
import type { TargetDriver } from '../targets/driver.js';

/** How activities reach the databases that their argument names. The worker resolves the names. */
export interface Access {
  /** @throws UnknownConnectionError, CockroachError */
  openSource(place: Place): Promise<Cockroach>;
  /** @throws UnknownConnectionError */
  target(place: Place): TargetDriver;
  /** @throws UnknownConnectionError */
  staging(staging: StagingInput, run: string): SqlStaging;
}

/** Opens a session, works, and closes it whatever happens. */
export async function withSource<T>(
  access: Pick<Access, 'openSource'>,
  place: Place,
  work: (source: Cockroach) => Promise<T>,
): Promise<T> {
  const source = await access.openSource(place);
  try {
    return await work(source);
  } finally {
    await source.close();
  }
}

/** The same for the checkpoint schema on the target. */
export async function withStore<T>(
  access: Pick<Access, 'target'>,
  place: Place,
  work: (store: CheckpointStore) => Promise<T>,
): Promise<T> {
  const store = await access.target(place).openStore();
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}
