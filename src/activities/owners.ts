/** Who hosts a stream in this process. Two attempts in one process are normal after an outage of Temporal; a stream has one owner (protocol rule 38). */
export interface Owners {
  /** Aborts the previous owner, waits until it has let go, and becomes the owner. */
  take(stream: string): Promise<Ownership>;
}

export interface Ownership {
  /** Aborts when a newer attempt takes the stream. */
  readonly signal: AbortSignal;
  letGo(): void;
}

export function createOwners(): Owners {
  const owners = new Map<string, { readonly abort: AbortController; readonly gone: Promise<void> }>();
  return {
    async take(stream) {
      for (let previous = owners.get(stream); previous; previous = owners.get(stream)) {
        previous.abort.abort(new Error('a newer attempt of this stream has started in this process'));
        await previous.gone;
      }
      const abort = new AbortController();
      let release = (): void => undefined;
      const gone = new Promise<void>((resolve) => (release = resolve));
      const mine = { abort, gone };
      owners.set(stream, mine);
      return {
        signal: abort.signal,
        letGo() {
          if (owners.get(stream) === mine) owners.delete(stream);
          release();
        },
      };
    },
  };
}
