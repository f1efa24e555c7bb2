import type { TroubleWord } from '../domain/attempt.js';
import { NO_SPACE } from '../staging/stage.js';

type Type = 'Target.Unavailable' | 'Source.Unavailable' | 'Stage.Unavailable' | 'Stage.Full';

/** Who has trouble: the apply loop with either side, the intake with the stage, a feed without a sink with the source. */
export type Troubled = 'apply' | 'intake' | 'feed';

/** Failures in a row from which on trouble lasts; for less it is not worth an incident. */
const LASTS_FROM = 4;

/** @param code of a `StageUnavailableError` */
export function stageTrouble(code: string): 'Stage.Full' | 'Stage.Unavailable' {
  return code === NO_SPACE ? 'Stage.Full' : 'Stage.Unavailable';
}

/** Says what an attempt is in trouble with once it lasts, and says again when it is over. */
export interface TroubleTeller {
  /** @param trouble null: it is over, or never was */
  tell(who: Troubled, trouble: { readonly type: Type; readonly cause: string; readonly failures: number } | null): void;
}

export function createTroubleTeller(say: (word: Pick<TroubleWord, 'type' | 'cause'>) => void): TroubleTeller {
  const lasting = new Map<Troubled, { readonly type: Type; readonly cause: string }>();
  const said = new Set<Type>();
  return {
    tell(who, trouble) {
      if (trouble !== null && trouble.failures >= LASTS_FROM) lasting.set(who, trouble);
      else if (trouble === null || lasting.get(who)?.type !== trouble.type) lasting.delete(who);
      const now = new Map([...lasting.values()].map(({ type, cause }) => [type, cause]));
      for (const [type, cause] of now) {
        if (said.has(type)) continue;
        said.add(type);
        say({ type, cause });
      }
      for (const type of [...said]) {
        if (now.has(type)) continue;
        said.delete(type);
        say({ type, cause: null });
      }
    },
  };
}
