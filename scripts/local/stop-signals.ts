/** Ctrl-C reaches us twice when npm stands between: from the terminal, and passed on by npm. */
const SAME_REQUEST_MS = 500;
const LOOK_FOR_PARENT_EVERY_MS = 1_000;

/**
 * Aborts on SIGINT, SIGTERM and SIGHUP. A second request ends this process at once, and the kernel ends
 * what is tied to it. Started by `npm start`, it stops too when npm is gone.
 */
export function stopOnSignals(): AbortSignal {
  const stopping = new AbortController();
  let askedAt: number | null = null;
  const ask = () => {
    if (askedAt !== null && performance.now() - askedAt > SAME_REQUEST_MS) process.exit(1);
    askedAt ??= performance.now();
    stopping.abort();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, ask);
  if (process.env['npm_lifecycle_event'] !== undefined) {
    const parent = process.ppid;
    const timer = setInterval(() => {
      if (process.ppid !== parent) stopping.abort();
    }, LOOK_FOR_PARENT_EVERY_MS);
    timer.unref();
  }
  return stopping.signal;
}
