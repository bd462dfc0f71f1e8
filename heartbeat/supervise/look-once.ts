import { messageOf } from '@understudy/shared/runtime/errors';
import { timeLimit } from '@understudy/shared/runtime/time-limit';

const LOOK_LIMIT_MS = 5_000;

/** Looks something up, for a limited time and not longer than it is wanted. Gives what went wrong as text. */
export async function lookOnce<T>(
  wanted: AbortSignal,
  look: (limit: AbortSignal) => Promise<T>,
): Promise<T | string> {
  const over = new AbortController();
  const limit = timeLimit(LOOK_LIMIT_MS, wanted, over.signal);
  const late = new Promise<string>((resolve) => {
    limit.addEventListener('abort', () => resolve(`no answer within ${LOOK_LIMIT_MS} ms`));
  });
  try {
    return await Promise.race([look(limit), late]);
  } catch (error) {
    return messageOf(error);
  } finally {
    over.abort();
  }
}
