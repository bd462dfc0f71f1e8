/**
 * The queue of runs that wait for an agent, and which of them goes where. It guarantees: higher priority
 * first, then first come first served among runs with the same selector; no agent gets more than its slots;
 * of a serial job one run at a time is given out.
 */
import type { RunRecord } from './run.ts';

/** What the queue must know of a run. */
export interface Waiting {
  readonly id: string;
  readonly job: string;
  readonly priority: number;
  readonly selector: Readonly<Record<string, string>>;
  readonly serial: boolean;
}

/** An agent that may be given runs. */
export interface Candidate {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly free: number;
}

export interface Assignment {
  readonly run: string;
  readonly agent: string;
}

interface Bucket {
  readonly priority: number;
  readonly selector: Readonly<Record<string, string>>;
  /** From `head` on; entries that were removed meanwhile are passed over. */
  readonly ids: string[];
  head: number;
}

export function waitingOf(run: RunRecord): Waiting {
  const { priority, selector, serial } = run.spec;
  return { id: run.id, job: run.job, priority, selector, serial };
}

/** Whether an agent has every label that is asked for. */
export function matches(
  selector: Readonly<Record<string, string>>,
  labels: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(selector).every(([name, value]) => labels[name] === value);
}

/** Holds what waits. Owned by one controller, in memory. */
export class RunQueue {
  readonly #waiting = new Map<string, Waiting>();
  readonly #buckets = new Map<string, Bucket>();
  #sorted: Bucket[] = [];

  get size(): number {
    return this.#waiting.size;
  }

  add(run: Waiting): void {
    if (this.#waiting.has(run.id)) return;
    this.#waiting.set(run.id, run);
    this.#bucketFor(run).ids.push(run.id);
  }

  remove(id: string): void {
    this.#waiting.delete(id);
  }

  /**
   * Takes out what can go now. `isBusy` says whether a run of a serial job is under way. Costs are those of
   * what is given out, plus one look at each kind of selector.
   */
  take(agents: readonly Candidate[], isBusy: (job: string) => boolean): Assignment[] {
    const free = new Map(agents.map(({ id, free }) => [id, free]));
    const given = new Set<string>();
    const assignments: Assignment[] = [];
    for (const bucket of this.#sorted) {
      const able = agents.filter(({ labels }) => matches(bucket.selector, labels));
      const held: string[] = [];
      for (;;) {
        const agent = freest(able, free);
        if (agent === null) break;
        const run = this.#next(bucket);
        if (run === null) break;
        if (run.serial && (given.has(run.job) || isBusy(run.job))) {
          held.push(run.id);
          continue;
        }
        if (run.serial) given.add(run.job);
        this.#waiting.delete(run.id);
        free.set(agent, (free.get(agent) ?? 0) - 1);
        assignments.push({ run: run.id, agent });
      }
      if (held.length > 0) bucket.ids.splice(bucket.head, 0, ...held);
    }
    return assignments;
  }

  #bucketFor({ priority, selector }: Waiting): Bucket {
    const labels = Object.entries(selector).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify([priority, labels]);
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    const bucket: Bucket = { priority, selector, ids: [], head: 0 };
    this.#buckets.set(key, bucket);
    this.#sorted = [...this.#buckets.values()].toSorted((a, b) => b.priority - a.priority);
    return bucket;
  }

  #next(bucket: Bucket): Waiting | null {
    while (bucket.head < bucket.ids.length) {
      const id = bucket.ids[bucket.head] ?? '';
      bucket.head += 1;
      if (bucket.head > 1_000 && bucket.head * 2 > bucket.ids.length) {
        bucket.ids.splice(0, bucket.head);
        bucket.head = 0;
      }
      const run = this.#waiting.get(id);
      if (run !== undefined) return run;
    }
    return null;
  }
}

function freest(able: readonly Candidate[], free: ReadonlyMap<string, number>): string | null {
  let best: string | null = null;
  let most = 0;
  for (const { id } of able) {
    const slots = free.get(id) ?? 0;
    if (slots > most) [best, most] = [id, slots];
  }
  return best;
}
