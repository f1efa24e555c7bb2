import type { ApplySession } from '../targets/target.js';

/** Once the signal has aborted, the session is cut off after the grace time: a target that says nothing must not hold the attempt. Returns the end of that watch. */
export function closeAfterGrace(
  session: ApplySession,
  { signal, abortGraceMs }: { readonly signal: AbortSignal; readonly abortGraceMs: number },
): () => void {
  let timer: NodeJS.Timeout | undefined;
  const onAbort = (): void => {
    timer = setTimeout(() => void session.close(), abortGraceMs);
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort);
  return () => {
    signal.removeEventListener('abort', onAbort);
    clearTimeout(timer);
  };
}
