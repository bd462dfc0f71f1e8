import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { addCounters, type Counters, emptyCounters } from '../checks/counters.ts';
import { type Mutant, mutants } from '../plan/mutants.ts';
import type { Found, Range } from './batch.ts';
import type { Answer, Order } from './crew-member.ts';

export interface Played {
  readonly found: readonly Found[];
  readonly counters: Counters;
  readonly seconds: number;
  /** Of the processor, on all cores. */
  readonly cpuSeconds: number;
}

/** How many seeds one worker plays before it reports. */
const PIECE = 250;

/** Workers, one for each core, that play histories. */
export class Crew {
  readonly #workers = Array.from(
    { length: availableParallelism() },
    () =>
      new Worker(new URL('./crew-member.js', import.meta.url), {
        // A history leaves behind nothing that lives on.
        resourceLimits: { maxYoungGenerationSizeMb: 64 },
      }),
  );

  get size(): number {
    return this.#workers.length;
  }

  async play({ from, count }: Range): Promise<Played> {
    const startedAt = performance.now();
    const cpuBefore = process.cpuUsage();
    const counters = emptyCounters();
    const found: Found[] = [];
    const pieces: Order[] = [];
    for (let at = from; at < from + count; at += PIECE) {
      pieces.push({ range: { from: at, count: Math.min(PIECE, from + count - at) }, mutant: null });
    }
    await this.#share(pieces, (answer) => {
      found.push(...answer.found);
      addCounters(counters, answer.counters);
    });
    const seconds = (performance.now() - startedAt) / 1_000;
    const { user, system } = process.cpuUsage(cpuBefore);
    const cpuSeconds = (user + system) / 1e6;
    return { found: found.toSorted((a, b) => a.seed - b.seed), counters, seconds, cpuSeconds };
  }

  /** Looks for a seed that catches each mutant. */
  async hunt(onMutant: (mutant: Mutant, found: Found | null) => void): Promise<void> {
    const orders = mutants.map(({ name, within }) => {
      return { range: { from: 1, count: within }, mutant: name };
    });
    await this.#share(orders, ({ found }, order) => {
      const mutant = mutants.find(({ name }) => name === order.mutant);
      if (mutant !== undefined) onMutant(mutant, found[0] ?? null);
    });
  }

  async dismiss(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  async #share(orders: readonly Order[], onAnswer: (answer: Answer, order: Order) => void) {
    const left = [...orders];
    await Promise.all(
      this.#workers.map(async (worker) => {
        for (let order = left.shift(); order !== undefined; order = left.shift()) {
          worker.postMessage(order);
          const [answer] = (await once(worker, 'message')) as [Answer];
          onAnswer(answer, order);
        }
      }),
    );
  }
}
