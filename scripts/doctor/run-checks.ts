import { messageOf } from '@understudy/shared/runtime/errors';
import { type Check, type Finding, problem } from './finding.ts';

/** Makes all checks beside each other, each for at most `limitMs`. In the order of the checks; never rejects. */
export async function runChecks(
  checks: readonly Check[],
  limitMs: number,
): Promise<readonly Finding[]> {
  const found = await Promise.all(checks.map((check) => runCheck(check, limitMs)));
  return found.flat();
}

async function runCheck(check: Check, limitMs: number): Promise<readonly Finding[]> {
  const limit = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${limitMs} ms`)), limitMs);
  });
  try {
    return await Promise.race([Promise.resolve().then(() => check.look(limit.signal)), late]);
  } catch (error) {
    const advice = 'the reason may be named by another line; otherwise see the log of this host';
    return [problem(check.name, messageOf(error), advice)];
  } finally {
    clearTimeout(timer);
    limit.abort();
  }
}
