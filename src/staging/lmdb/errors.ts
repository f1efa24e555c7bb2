import { NO_SPACE, StageUnavailableError } from '../stage.js';

/** The store refused a write (disk full, I/O error). Nothing of the write is in the stage: it may be sent again. */
export class StageWriteError extends StageUnavailableError {
  constructor(
    readonly folder: string,
    options: { cause: unknown },
  ) {
    const reason = rootText(options.cause);
    super(
      /ENOSPC|No space/i.test(reason) ? NO_SPACE : 'write',
      `stage folder ${folder} cannot be written: ${reason}; look for a full disk (df) or an I/O error (dmesg), nothing was taken`,
      options,
    );
    this.name = 'StageWriteError';
  }
}

/** The stage was closed while it was in use. */
export class StageClosedError extends Error {
  constructor(readonly folder: string) {
    super(`stage folder ${folder} is closed: its stream has ended or moved on`);
    this.name = 'StageClosedError';
  }
}

/** What the store holds cannot have been written by a stage. Binding a new incarnation empties it. */
export class StageCorruptError extends Error {
  constructor(
    readonly folder: string,
    found: string,
  ) {
    super(
      `stage folder ${folder} is damaged: ${found}; stop the worker and delete the folder, the stream then begins again at its checkpoint`,
    );
    this.name = 'StageCorruptError';
  }
}

function rootText(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
