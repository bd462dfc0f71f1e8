import { messageOf } from '@understudy/shared/runtime/errors';
import { timeLimit } from '@understudy/shared/runtime/time-limit';

const LOOK_LIMIT_MS = 5_000;

/** Looks something up, for a limited time and not longer than it is wanted. Gives what went wrong as text. */
export async function lookOnce<T>(
  wanted: AbortSignal,
  look: (limit: AbortSignal) => Promise<T>,
): Promise<T | string> {
  const limit = timeLimit(LOOK_LIMIT_MS, wanted);
  const late = new Promise<string>((resolve) => {
    const end = () => resolve(`no answer within ${LOOK_LIMIT_MS} ms`);
    limit.signal.addEventListener('abort', end, { once: true });
  });
  try {
    return await Promise.race([look(limit.signal), late]);
  } catch (error) {
    return messageOf(error);
  } finally {
    limit.end();
  }
}
