import { isOver, type RunRecord } from '@understudy/controller/dispatch/run';
import type { Engine } from '../kernel/engine.ts';

/** What one transaction writes. */
export interface Writes {
  readonly newRuns: readonly RunRecord[];
  readonly runs: readonly RunRecord[];
  /** By agent: the journal that it named when it registered. */
  readonly journals: readonly (readonly [agent: string, journal: string])[];
}

/** What a new active reads first. */
export interface Loaded {
  readonly runs: readonly RunRecord[];
  readonly journals: ReadonlyMap<string, string>;
}

interface Undo {
  readonly at: number;
  readonly run: () => void;
}

/** The tables of runs and agents, with what it takes to be an earlier copy of themselves. */
export class Repository {
  readonly #engine: Engine;
  readonly #keptMs: number;
  readonly #runs = new Map<string, RunRecord>();
  readonly #open = new Set<string>();
  readonly #journals = new Map<string, string>();
  #undo: Undo[] = [];
  readonly nothing: Loaded = { runs: [], journals: new Map() };

  constructor(engine: Engine, keptMs: number) {
    this.#engine = engine;
    this.#keptMs = keptMs;
  }

  get(id: string): RunRecord | undefined {
    return this.#runs.get(id);
  }

  get openCount(): number {
    return this.#open.size;
  }

  load(): Loaded {
    const runs = [...this.#open].flatMap((id) => this.#runs.get(id) ?? []);
    return { runs, journals: new Map(this.#journals) };
  }

  /** A run that is over never changes again, whatever is written late. */
  write({ newRuns, runs, journals }: Writes): void {
    for (const run of newRuns) if (!this.#runs.has(run.id)) this.#put(run.id, run);
    for (const run of runs) {
      const known = this.#runs.get(run.id);
      if (known !== undefined && !isOver(known.state)) this.#put(run.id, run);
    }
    for (const [agent, journal] of journals) {
      const before = this.#journals.get(agent);
      this.#keep(() => {
        if (before === undefined) this.#journals.delete(agent);
        else this.#journals.set(agent, before);
      });
      this.#journals.set(agent, journal);
    }
  }

  undoAfter(time: number): void {
    for (;;) {
      const last = this.#undo.at(-1);
      if (last === undefined || last.at <= time) break;
      last.run();
      this.#undo.pop();
    }
    this.#undo = [];
  }

  #put(id: string, run: RunRecord): void {
    const before = this.#runs.get(id);
    this.#keep(() => this.#set(id, before));
    this.#set(id, run);
  }

  #set(id: string, run: RunRecord | undefined): void {
    if (run === undefined) this.#runs.delete(id);
    else this.#runs.set(id, run);
    if (run === undefined || isOver(run.state)) this.#open.delete(id);
    else this.#open.add(id);
  }

  #keep(run: () => void): void {
    if (this.#keptMs === 0) return;
    const { now } = this.#engine;
    this.#undo.push({ at: now, run });
    if (this.#undo.length < 4_096) return;
    this.#undo = this.#undo.filter(({ at }) => at > now - this.#keptMs);
  }
}
