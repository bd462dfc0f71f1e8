/**
 * The queue of runs that wait for an agent, and which of them goes where. It guarantees: higher priority
 * first, then first come first served among runs with the same selector; no agent gets more than its slots;
 * of a line with a limit no more runs are given out than may be under way at once.
 */
import { selectorOf } from './abilities.ts';
import { Heap } from './heap.ts';
import { lineOf, type RunRecord } from './run.ts';

/** What the queue must know of a run. */
export interface Waiting {
  readonly id: string;
  /** What it may overlap with. */
  readonly line: string;
  readonly priority: number;
  readonly selector: Readonly<Record<string, string>>;
  /** The one agent to which it may go; null: any. */
  readonly target: string | null;
  /** So many runs of the line may be under way at once; null: any number. */
  readonly limit: number | null;
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

interface Entry {
  readonly run: Waiting;
  /** Entries are numbered as they come. */
  readonly seq: number;
}

interface Bucket {
  readonly priority: number;
  readonly selector: Readonly<Record<string, string>>;
  readonly target: string | null;
  /** What may be next: all runs of lines without a limit, and the first of each line with one. */
  readonly heads: Heap<Entry>;
  /** By line with a limit and a run among the heads: the others, which need no look until it is gone. */
  readonly behind: Map<string, Heap<Entry>>;
}

export function waitingOf(run: RunRecord): Waiting {
  const { priority, limit } = run.spec;
  const [line, selector] = [lineOf(run), selectorOf(run.spec)];
  return { id: run.id, line, priority, selector, target: run.target, limit };
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
  /** What still waits; entries elsewhere that are not in it are passed over. */
  readonly #waiting = new Map<string, Entry>();
  readonly #buckets = new Map<string, Bucket>();
  #sorted: Bucket[] = [];
  #seq = 0;

  get size(): number {
    return this.#waiting.size;
  }

  add(run: Waiting): void {
    if (this.#waiting.has(run.id)) return;
    const entry = { run, seq: this.#seq++ };
    this.#waiting.set(run.id, entry);
    const { heads, behind } = this.#bucketFor(run);
    const isLimited = run.limit !== null;
    const others = isLimited ? behind.get(run.line) : undefined;
    if (others !== undefined) {
      others.push(entry);
      return;
    }
    if (isLimited) behind.set(run.line, new Heap());
    heads.push(entry);
  }

  remove(id: string): void {
    this.#waiting.delete(id);
  }

  /**
   * Takes out what can go now. `underWay` says how many runs of a line are. Costs are those of what is given
   * out, plus one look at each agent for each kind of selector that is waited with, and at each line that has
   * reached its limit.
   */
  take(agents: readonly Candidate[], underWay: (line: string) => number): Assignment[] {
    const free = new Map(agents.map(({ id, free }) => [id, free]));
    const byId = new Map(agents.map((agent) => [agent.id, agent]));
    /** Of lines with a limit. */
    const given = new Map<string, number>();
    const assignments: Assignment[] = [];
    for (const bucket of this.#sorted) {
      if (bucket.heads.size === 0) continue;
      const able = freestFirst(ableFor(bucket, agents, byId), free);
      const held: Entry[] = [];
      for (;;) {
        const agent = able.pop();
        const entry = agent === null ? null : this.#next(bucket);
        if (agent === null || entry === null) break;
        const { id, line, limit } = entry.run;
        if (limit !== null) {
          const more = given.get(line) ?? 0;
          if (underWay(line) + more >= limit) {
            held.push(entry);
            able.push(agent);
            continue;
          }
          given.set(line, more + 1);
        }
        this.#waiting.delete(id);
        this.#advance(bucket, entry.run);
        free.set(agent.id, -agent.seq - 1);
        if (agent.seq < -1) able.push({ id: agent.id, seq: agent.seq + 1 });
        assignments.push({ run: id, agent: agent.id });
      }
      for (const entry of held) bucket.heads.push(entry);
    }
    return assignments;
  }

  #bucketFor({ priority, selector, target }: Waiting): Bucket {
    const labels = Object.entries(selector).toSorted(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify([priority, target, labels]);
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    const bucket: Bucket = {
      ...{ priority, selector, target },
      ...{ heads: new Heap<Entry>(), behind: new Map<string, Heap<Entry>>() },
    };
    this.#buckets.set(key, bucket);
    this.#sorted = [...this.#buckets.values()].toSorted((a, b) => b.priority - a.priority);
    return bucket;
  }

  #next(bucket: Bucket): Entry | null {
    for (;;) {
      const entry = bucket.heads.pop();
      if (entry === null || this.#isWaiting(entry)) return entry;
      this.#advance(bucket, entry.run);
    }
  }

  /** After the first of a line with a limit is gone, the one behind it may be next. */
  #advance({ heads, behind }: Bucket, { line, limit }: Waiting): void {
    const others = limit === null ? undefined : behind.get(line);
    if (others === undefined) return;
    for (;;) {
      const entry = others.pop();
      if (entry === null) {
        behind.delete(line);
        return;
      }
      if (!this.#isWaiting(entry)) continue;
      heads.push(entry);
      return;
    }
  }

  #isWaiting(entry: Entry): boolean {
    return this.#waiting.get(entry.run.id) === entry;
  }
}

function ableFor(
  { selector, target }: Bucket,
  agents: readonly Candidate[],
  byId: ReadonlyMap<string, Candidate>,
): readonly Candidate[] {
  if (target === null) return agents.filter(({ labels }) => matches(selector, labels));
  const agent = byId.get(target);
  return agent === undefined || !matches(selector, agent.labels) ? [] : [agent];
}

/** An agent by how many free slots it has, the most first. */
interface Able {
  readonly id: string;
  readonly seq: number;
}

function freestFirst(agents: readonly Candidate[], free: ReadonlyMap<string, number>): Heap<Able> {
  const able = new Heap<Able>();
  for (const { id } of agents) {
    const slots = free.get(id) ?? 0;
    if (slots > 0) able.push({ id, seq: -slots });
  }
  return able;
}
