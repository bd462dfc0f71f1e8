/**
 * A signal that aborts after so long, with the reason of `AbortSignal.timeout`, or before that when one of these does,
 * with its reason. The process does not live on for it. `AbortSignal.timeout` itself does not do as a source of
 * `AbortSignal.any`, which holds its sources weakly: the garbage collector may take such a limit away before it is over
 * (nodejs/node#57736), and who relies on it waits for ever. This one is held by its timer.
 */
export function timeLimit(ms: number, ...unless: readonly AbortSignal[]): AbortSignal {
  const late = new AbortController();
  const end = () => late.abort(new DOMException(`not within ${ms} ms`, 'TimeoutError'));
  setTimeout(end, ms).unref();
  return AbortSignal.any([late.signal, ...unless]);
}
