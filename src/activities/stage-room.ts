import { formatBytes } from '../domain/byte-size.js';
import { HLC_ZERO, type Hlc } from '../domain/hlc.js';
import { mayGrow, roomOf, type Room, type StageBudget } from '../staging/room.js';
import type { Stage } from '../staging/stage.js';

/** The room that an attempt's stage has, and the incident where it has none (protocol rule 12). */
export interface StageRoom {
  /** Asked for each body with rows. */
  mayGrow(): boolean;
  /** Takes the incident back once there is room. */
  tick(): void;
}

/** @param tell the cause of the incident; null: it is over */
export function createStageRoom(
  stage: Stage,
  budget: StageBudget,
  committed: () => Hlc,
  tell: (cause: string | null) => void,
): StageRoom {
  let told: Room = 'free';
  let purging = false;

  /** What was kept for a target that is set back goes first (protocol rule 16). */
  function purgeRetained(): void {
    if (purging) return;
    purging = true;
    // A failure to write is the next body's, too; it is tried again with it.
    void stage
      .purge(committed())
      .catch(() => undefined)
      .finally(() => (purging = false));
  }

  function look(): { readonly room: Room; readonly usedBytes: number } {
    const { usedBytes } = stage.figures();
    const { resolved, floor } = stage.binding() ?? { resolved: HLC_ZERO, floor: HLC_ZERO };
    const retains = floor < committed();
    const room = roomOf(budget, { usedBytes, applying: retains || resolved > committed() });
    if (room === 'waits' && retains) purgeRetained();
    return { room, usedBytes };
  }

  return {
    mayGrow() {
      const { room, usedBytes } = look();
      if ((room === 'overruns' || room === 'none') && room !== told) {
        told = room;
        tell(causeOf(room, usedBytes, budget));
      }
      return mayGrow(room);
    },
    tick() {
      if (told === 'free' || look().room !== 'free') return;
      told = 'free';
      tell(null);
    },
  };
}

function causeOf(room: 'overruns' | 'none', usedBytes: number, { budgetBytes, reserveBytes }: StageBudget): string {
  const most = formatBytes(budgetBytes + reserveBytes);
  return (
    `the stage uses ${formatBytes(usedBytes)} of its budget of ${formatBytes(budgetBytes)}, and nothing of it can be applied before the source ` +
    (room === 'overruns' ? `resolves it: rows are taken up to ${most}` : `resolves it: no row is taken beyond ${most}`)
  );
}
