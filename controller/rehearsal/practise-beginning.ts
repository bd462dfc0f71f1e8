import { setImmediate as turn } from 'node:timers/promises';
import type { Surroundings, WorkPlane } from '../assemble.ts';
import type { WriterLane } from '../store/lane.ts';
import { countInheritance, loadInheritance } from '../store/load.ts';

export interface PractiseOptions {
  readonly pair: string;
  /** For nothing else: to wait for it would hold up the real thing. */
  readonly lane: WriterLane;
  /** A new one each time. */
  readonly assemble: () => Pick<WorkPlane, 'load' | 'handlerIn' | 'rest'>;
  readonly surroundings: Surroundings;
  /** Aborts when the real thing begins. */
  readonly signal: AbortSignal;
}

const ROUNDS = 10;
const ROUND_LIMIT_MS = 2_000;
/** Where there is more, reading it is what takes time, and it would burden both hosts to do it for practice. */
const MOST_ROWS = 500;

/**
 * Takes over what is really open, read and forgotten, round by round, as a new active does before it serves. What it
 * reads is not fenced, and good for nothing else. Gives how many rounds there were; 0 also when much is open.
 */
export async function practiseBeginning(options: PractiseOptions): Promise<number> {
  const { pair, lane, assemble, surroundings, signal } = options;
  const end = () => lane.close();
  signal.addEventListener('abort', end, { once: true });
  let rounds = 0;
  try {
    const count = await lane.practise(ROUND_LIMIT_MS, (execute) =>
      countInheritance(pair, MOST_ROWS, execute),
    );
    if (count > MOST_ROWS) return 0;
    while (rounds < ROUNDS && !signal.aborted) {
      const inheritance = await lane.practise(ROUND_LIMIT_MS, (execute) =>
        loadInheritance(pair, 0n, execute),
      );
      const plane = assemble();
      try {
        plane.load(inheritance);
        plane.handlerIn(surroundings);
      } finally {
        plane.rest();
      }
      rounds += 1;
      // What is asked of this process meanwhile goes first.
      await turn();
    }
  } finally {
    signal.removeEventListener('abort', end);
    lane.close();
  }
  return rounds;
}
