import { missingProgram } from '@understudy/scripts/bench/rivals/rival';
import type { ExecutionContext } from 'ava';

/**
 * A test that needs programs: where one is missing it is skipped and says so, and on a machine that has to
 * have all of them (CI) it fails.
 */
export function needing(
  programs: readonly string[],
  check: (t: ExecutionContext) => Promise<void>,
): (t: ExecutionContext) => Promise<void> {
  const missing = missingProgram(...programs);
  return missing === null ? check : skipped(missing);
}

/** The same for a test that changes the network, which only root may do. */
export function needingRoot(
  programs: readonly string[],
  check: (t: ExecutionContext) => Promise<void>,
): (t: ExecutionContext) => Promise<void> {
  if (process.getuid?.() === 0) return needing(programs, check);
  return skipped('only root can make network namespaces');
}

function skipped(why: string): (t: ExecutionContext) => Promise<void> {
  return async (t) => {
    t.log(`skipped: ${why}`);
    if (process.env['CI']) t.fail(why);
    else t.pass();
  };
}
