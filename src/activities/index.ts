import type { AttemptHost } from './attempt-host.js';
import { createReceiveAndApply } from './receive-and-apply.js';
import { createChangefeedActivities, type SinkSecrets } from './changefeed.js';
import { createCursorActivities } from './cursor.js';
import { createFinishActivities, type ComparisonDeps } from './finish.js';
import { createForwardActivities, type ForwardDeps } from './forward.js';
import { createHostActivities } from './host.js';
import { keptAlive } from './liveness.js';
import { createPreflightActivities, type PreflightDeps } from './preflight.js';
import { createPrepareActivities } from './prepare.js';
import { createSentinelActivities } from './sentinel.js';
import { createWatchActivities } from './watch.js';

export interface ActivityDeps extends PreflightDeps, ComparisonDeps {
  readonly forward: ForwardDeps;
  readonly secrets: SinkSecrets;
  readonly host: AttemptHost;
}

/** Activities of the shared queue: any worker may run them. */
export function createSharedActivities(deps: ActivityDeps) {
  return {
    ...keptAlive(createPreflightActivities(deps)),
    ...keptAlive(createForwardActivities(deps.forward), ['awaitForwardDrained', 'awaitForwardGone']),
    ...keptAlive(createSentinelActivities(deps)),
    ...keptAlive(createPrepareActivities(deps)),
    ...keptAlive(createCursorActivities(deps)),
    ...keptAlive(createChangefeedActivities(deps, deps.secrets)),
    ...keptAlive(createWatchActivities(deps), ['watchStream']),
    ...keptAlive(createFinishActivities(deps), ['awaitHeld', 'compareRows']),
    ...keptAlive(createHostActivities({ host: deps.host.host, secrets: deps.secrets })),
  };
}

/** The activity of a host's own queue. */
export function createHostQueueActivities(deps: ActivityDeps) {
  return createReceiveAndApply(deps, deps.host);
}

export type Activities = ReturnType<typeof createSharedActivities> & ReturnType<typeof createHostQueueActivities>;
