import type { AttemptProgress, MirroredStage } from '../domain/attempt.js';
import type { Place } from '../domain/place.js';
import type { RunbookInput } from '../domain/runbook-input.js';
import type { StagingInput } from '../domain/staging.js';
import type { StreamPlan } from '../domain/table.js';
import type { Receiver } from '../receiver/server.js';
import type { StageBudget } from '../staging/room.js';
import type { Stage } from '../staging/stage.js';
import { CataloguedError } from './failure-translation.js';
import type { PullWish } from './pull-intake.js';

export interface AttemptWish {
  readonly place: Place;
  readonly stream: string;
  /** The attempt's identity, random (protocol rules C and 38). */
  readonly token: string;
  /** Workflow that hears the attempt's words. */
  readonly workflowId: string;
  readonly plan: StreamPlan;
  /** Segments of the sink URL's path. */
  readonly sinkPath: readonly string[];
  readonly enforcementOff: boolean;
  readonly apply: RunbookInput['apply'];
  /** Not null: the attempt reads its changefeed itself, over the connection to the source. */
  readonly pull?: PullWish | null;
  readonly renew: boolean;
  /** What the last heartbeat of the attempt before said of its stage; a stage that knows less is a copy of an old disk (protocol rule 15). */
  readonly mirrored: MirroredStage | null;
  /** The database that holds the stage; absent: it is in a folder of this host. */
  readonly staging?: StagingInput | undefined;
}

export interface AttemptReceiver extends Pick<Receiver, 'register'> {
  /** `https://host:port`, as CockroachDB reaches it. */
  readonly advertisedUrl: string;
}

export interface AttemptHost {
  /** Name of this host's task queue. */
  readonly host: string;
  /** Null: this worker has none, and can only pull. */
  readonly receiver: AttemptReceiver | null;
  /** Of each stage. */
  readonly budget: StageBudget;
  /** @throws StageBusyError, StageUnavailableError, UnknownConnectionError */
  openStage(stream: string, place: Place, staging: StagingInput | undefined): Stage | Promise<Stage>;
  /** Told the figures of every live attempt, for `/_/varz`. */
  readonly onFigures: (figures: AttemptProgress | null, stream: string) => void;
  /** Told of every attempt that ended by itself because nobody waits for it any more. */
  readonly onOrphaned: () => void;
}

/** @throws CataloguedError: the stream takes another host, or the worker is given one */
export function requireReceiver({ host, receiver }: AttemptHost): AttemptReceiver {
  if (receiver !== null) return receiver;
  throw new CataloguedError(
    'Receiver.Unreachable',
    `worker ${host} has no receiver (FAILBACK_RECEIVER_URL is not set), and the intake of this run is a webhook`,
  );
}
