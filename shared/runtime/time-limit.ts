export interface TimeLimit {
  /** Aborts when the time is over, or before that for another reason. */
  readonly signal: AbortSignal;
  /** What was waited for is there, or not wanted any more: aborts, and lets go of all it refers to. */
  end(): void;
}

/**
 * A signal that aborts after so long, with the reason of `AbortSignal.timeout`, or before that when one of these does,
 * with its reason. The process does not live on for it. Not made of `AbortSignal.any` and `AbortSignal.timeout`: the
 * former holds its sources weakly, so that the garbage collector may take a limit away before it is over
 * (nodejs/node#57736) and who relies on it waits for ever; and what it made is not forgotten by a source that lives long.
 */
export function timeLimit(ms: number, ...unless: readonly AbortSignal[]): TimeLimit {
  const limit = new AbortController();
  const { signal } = limit;
  const late = () => limit.abort(new DOMException(`not within ${ms} ms`, 'TimeoutError'));
  const timer = setTimeout(late, ms).unref();
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  for (const each of unless) {
    if (each.aborted) limit.abort(each.reason);
    else each.addEventListener('abort', () => limit.abort(each.reason), { once: true, signal });
  }
  return { signal, end: () => limit.abort() };
}
