import { parentPort } from 'node:worker_threads';
import { type Counters, emptyCounters } from '../checks/counters.ts';
import { catchMutant, type Found, playBatch, type Range } from './batch.ts';

/** What a member of the crew is to do: play a range, or look in it for a seed that catches a mutant. */
export interface Order {
  readonly range: Range;
  readonly mutant: string | null;
}

export interface Answer {
  readonly found: readonly Found[];
  readonly counters: Counters;
}

parentPort?.on('message', (order: Order) => parentPort?.postMessage(carryOut(order)));

function carryOut({ range, mutant }: Order): Answer {
  const counters = emptyCounters();
  if (mutant === null) return { found: playBatch(range, counters), counters };
  const found = catchMutant(mutant, range);
  return { found: found === null ? [] : [found], counters };
}
