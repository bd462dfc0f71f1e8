import type { RawAnswer } from './raw.ts';

/** Why an answer to a bad request is not one that users can work with; null when it is. */
export function answerFault(answer: RawAnswer): string | null {
  const { status, end } = answer;
  if (end === 'silent') return `no answer within ${Math.round(answer.tookMs)} ms`;
  if (status === null) return 'the connection was closed without an answer';
  if (status >= 200 && status < 300) return null;
  if (status < 400 || status >= 500) return `answered ${status}: ${answer.body.slice(0, 500)}`;
  // An answer to HEAD has no body.
  return answer.body === '' && answer.headers.has('content-type') ? null : errorFault(answer);
}

/** Why the body is not `{ error: { code, message } }`; null when it is. */
function errorFault({ status, body }: RawAnswer): string | null {
  const shown = `${status}: ${body.slice(0, 500)}`;
  if (body.length > MOST_SAID) return `an error of ${body.length} bytes: ${shown}`;
  try {
    const { error } = JSON.parse(body) as { error?: { code?: unknown; message?: unknown } };
    const isGood = typeof error?.code === 'string' && typeof error.message === 'string';
    return isGood ? null : `not an error as agreed: ${shown}`;
  } catch {
    return `not JSON: ${shown}`;
  }
}

/** However large a request was, what is said about it stays readable. */
const MOST_SAID = 64 * 1024;
