import { randomInt } from 'node:crypto';
import type { ExecutionContext } from 'ava';
import fc from 'fast-check';

/** One seed for the whole run of a test file; `FUZZ_SEED` repeats a run. */
const seed = Number(process.env['FUZZ_SEED'] ?? randomInt(2 ** 31));

const SHOWN = 2_000;

/**
 * Looks for a case that has a fault; `FUZZ_RUNS` asks for more of them, or fewer. What is found is made
 * as small as it can be, and shown with the seed that finds it again.
 */
export async function noFault<T>(
  t: ExecutionContext,
  looked: {
    readonly runs: number;
    readonly cases: fc.Arbitrary<T>;
    readonly faultOf: (value: T) => Promise<string | null> | string | null;
  },
): Promise<void> {
  const numRuns = Number(process.env['FUZZ_RUNS'] ?? looked.runs);
  t.log(`FUZZ_SEED=${seed}, ${numRuns} cases`);
  let last = '';
  const property = fc.asyncProperty(looked.cases, async (value) => {
    const fault = await looked.faultOf(value);
    if (fault !== null) last = fault;
    return fault === null;
  });
  const found = await fc.check(property, { seed, numRuns });
  if (!found.failed) {
    t.pass();
    return;
  }
  const example = fc.stringify(found.counterexample).slice(0, SHOWN);
  const why = last === '' ? String(found.errorInstance) : last;
  t.fail(`after ${found.numRuns} cases of seed ${seed}:\n${example}\n${why.slice(0, SHOWN)}`);
}
