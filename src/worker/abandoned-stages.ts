import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { withStore, type Access } from '../activities/access.js';
import type { Place } from '../domain/place.js';
import { stageFolder } from '../staging/lmdb/folder.js';
import type { Stage } from '../staging/stage.js';

/** Whom to ask whether a stage is still named (protocol rule 17). Names only: no secret. Kept in the stage's folder. */
const sheetSchema = z.object({
  stream: z.string(),
  stageId: z.string(),
  run: z.string(),
  target: z.string(),
  checkpointSchema: z.string().optional(),
});
type Sheet = z.output<typeof sheetSchema>;

const SHEET = 'place.json';
const STATEMENT_TIMEOUT_MS = 10_000;

/** Writes down where the checkpoint row of a stage is that has just been opened. */
export function rememberPlace(stageDir: string, stream: string, stage: Stage, place: Place): void {
  const { run, target, checkpointSchema } = place;
  const file = path.join(stageFolder(stageDir, stream), SHEET);
  const text = JSON.stringify({ stream, stageId: stage.id, run, target, checkpointSchema } satisfies Sheet);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return;
  try {
    // Whole or not at all.
    writeFileSync(`${file}.new`, text, { mode: 0o600 });
    renameSync(`${file}.new`, file);
  } catch {
    // A full disk is no reason not to receive: a stage without a sheet is kept.
  }
}

export interface AbandonedStages {
  /** Looks at every stage of the folder once; returns the streams whose stage was dropped. */
  look(): Promise<readonly string[]>;
}

/**
 * Drops the stages that no checkpoint row names any more (protocol rule 17): found so at two looks, since for a moment a connection may lead
 * elsewhere. Kept is what is open, and what cannot be asked about: an unreachable target, a connection that the worker does not know, no sheet.
 * @param open opens a stage as its owner. @throws StageBusyError
 */
export function createAbandonedStages(options: {
  readonly stageDir: string;
  readonly access: Pick<Access, 'target'>;
  readonly open: (stream: string) => Stage;
  readonly log: (message: string) => void;
}): AbandonedStages {
  const { stageDir, access, open, log } = options;
  /** Stage ids that no row named when they were last looked at. */
  let suspected: ReadonlySet<string> = new Set();

  async function isNamed({ stream, stageId, run, target, checkpointSchema }: Sheet): Promise<boolean> {
    const place = { run, source: target, target, checkpointSchema, statementTimeoutMs: STATEMENT_TIMEOUT_MS };
    const row = await withStore(access, place, (store) => store.read(stream));
    // A row without a stage is of an attempt that begins.
    return row !== null && (row.stageId === null || row.stageId === stageId);
  }

  async function drop(folder: string, sheet: Sheet): Promise<boolean> {
    const stage = open(sheet.stream);
    try {
      // Asked again as its owner: an attempt may have begun with it.
      if (stage.id !== sheet.stageId || (await isNamed(sheet))) return false;
    } finally {
      await stage.close();
    }
    rmSync(folder, { recursive: true });
    return true;
  }

  return {
    async look() {
      const dropped: string[] = [];
      const seen = new Set<string>();
      for (const folder of foldersOf(stageDir)) {
        const sheet = readSheet(folder);
        if (sheet === null || stageFolder(stageDir, sheet.stream) !== folder) continue;
        try {
          if (await isNamed(sheet)) continue;
          if (!suspected.has(sheet.stageId)) seen.add(sheet.stageId);
          else if (await drop(folder, sheet)) {
            dropped.push(sheet.stream);
            log(
              `the stage of stream ${sheet.stream} was dropped: no checkpoint row on ${sheet.target} names it any more`,
            );
          }
        } catch {
          // In use, or nobody can be asked: it stays, and is looked at again.
        }
      }
      suspected = seen;
      return dropped;
    },
  };
}

function foldersOf(stageDir: string): readonly string[] {
  return readdirSync(stageDir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.resolve(stageDir, entry.name));
}

function readSheet(folder: string): Sheet | null {
  try {
    return sheetSchema.parse(JSON.parse(readFileSync(path.join(folder, SHEET), 'utf8')));
  } catch {
    return null;
  }
}
