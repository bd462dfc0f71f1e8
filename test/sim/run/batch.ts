import { type Counters, emptyCounters } from '../checks/counters.ts';
import { playHistory } from '../history.ts';
import { mutants } from '../plan/mutants.ts';

export interface Found {
  readonly seed: number;
  readonly rule: string;
  readonly text: string;
}

export interface Range {
  readonly from: number;
  readonly count: number;
}

/** Says of what was found with a mutant that it is there without it, too. */
export const UNSOUND = 'unsound without the mutant';

/** Plays a range of seeds with all rules kept; gives what was violated. */
export function playBatch({ from, count }: Range, counters: Counters): Found[] {
  const found: Found[] = [];
  for (let seed = from; seed < from + count; seed++) {
    const { violation } = playHistory(seed, { counters });
    if (violation !== null) found.push({ seed, ...violation });
  }
  return found;
}

/**
 * The first seed of a range that catches a mutant, and how; null when none does. The same history with all
 * rules kept must be sound, or it would not be the mutant that was caught (`UNSOUND`).
 */
export function catchMutant(name: string, { from, count }: Range): Found | null {
  const mutant = mutants.find((each) => each.name === name);
  if (mutant === undefined) throw new Error(`there is no mutant "${name}"`);
  const { rules, shape } = mutant;
  const options = shape === undefined ? { rules } : { rules, shape };
  for (let seed = from; seed < from + count; seed++) {
    const { violation } = playHistory(seed, { ...options, counters: emptyCounters() });
    if (violation === null) continue;
    const sound = playHistory(seed, shape === undefined ? {} : { shape });
    if (sound.violation !== null) return { seed, ...sound.violation, rule: UNSOUND };
    return { seed, ...violation };
  }
  return null;
}
