import { FollowerIndex } from '../dispatch/after.ts';
import { RunQueue, waitingOf } from '../dispatch/queue.ts';
import { isOver, lineOf, openAttempt, type RunRecord } from '../dispatch/run.ts';
import { waitMs } from '../dispatch/transitions.ts';
import type { Batch, Changes } from '../store/changes.ts';
import type { NewDelivery } from '../store/hook-records.ts';
import type { OpenWork } from '../store/load.ts';
import type { EventRecord, JobRecord, NewEvent } from '../store/records.ts';
import type { Written } from '../store/write-batch.ts';
import { momentOf, type TenureContext } from './context.ts';

interface RunEntry {
  /** As it was decided; perhaps not committed yet. */
  working: RunRecord;
  /** As it is in the database; null: not in it yet. Only this is shown. */
  committed: RunRecord | null;
  /** The attempt whose order was sent by this process. */
  orderSent: number;
}

/** So many finished runs are kept in memory for those who just waited for them. */
const ENDED_KEPT = 1_000;

/**
 * The queue and all open runs, in memory. Of each run it holds what was decided and what is committed:
 * decisions are made on the first, answers are given from the second.
 */
export class WorkState {
  readonly #context: TenureContext;
  readonly #runs = new Map<string, RunEntry>();
  readonly #ended = new Map<string, RunRecord>();
  readonly #openOfLine = new Map<string, Set<string>>();
  readonly #openOnAgent = new Map<string, Set<string>>();
  /** Open runs that may run on one agent only, by that agent. */
  readonly #openForAgent = new Map<string, Set<string>>();
  /** By line: runs with an attempt under way. */
  readonly #underWay = new Map<string, Set<string>>();
  readonly #runListeners = new Map<string, Set<() => void>>();
  readonly #eventListeners = new Set<(events: readonly EventRecord[]) => void>();
  /** Of runs that wait for their next attempt. */
  readonly #pauses = new Set<NodeJS.Timeout>();
  readonly queue = new RunQueue();
  #lastEvent: bigint | null = null;
  /** As decided. */
  readonly jobs = new Map<string, JobRecord>();
  readonly #counts = { queued: 0, dispatched: 0, running: 0 };
  readonly #committedJobs = new Map<string, JobRecord>();
  readonly followers = new FollowerIndex();
  /** Called for each open run that comes in. */
  onNew: (run: RunRecord) => void = () => undefined;
  /** What the end of a run brings about. */
  onEnded: (run: RunRecord) => readonly Changes[] = () => [];
  /** Called when a run that an agent has is to be cancelled, because of what the end of another brought about. */
  onCancel: (run: RunRecord) => void = () => undefined;
  /** What web hooks are to be told of events, to be committed with them. */
  deliveriesOf: (events: readonly NewEvent[]) => readonly NewDelivery[] = () => [];
  /** Called when something may have become possible to dispatch. */
  onQueued: () => void = () => undefined;

  constructor(context: TenureContext) {
    this.#context = context;
  }

  /** Takes in what the database holds. */
  load(work: Pick<OpenWork, 'jobs' | 'agents' | 'runs'>): void {
    for (const job of work.jobs) {
      this.jobs.set(job.definition.name, job);
      this.#committedJobs.set(job.definition.name, job);
      this.followers.set(job.definition.name, job.definition.after);
    }
    for (const run of work.runs) {
      this.#runs.set(run.id, { working: run, committed: run, orderSent: 0 });
      this.#count(run, 1);
      this.#index(run);
      this.#enqueue(run);
      this.onNew(run);
    }
  }

  /** Who waits for his next attempt waits on. */
  stop(): void {
    for (const timer of this.#pauses) clearTimeout(timer);
    this.#pauses.clear();
  }

  /** An open run as it was decided; null when it is over or unknown. */
  open(id: string): RunRecord | null {
    const working = this.#runs.get(id)?.working;
    return working === undefined || isOver(working.state) ? null : working;
  }

  /** A run as it is committed, if it is in memory. */
  committedRun(id: string): RunRecord | null {
    return this.#runs.get(id)?.committed ?? this.#ended.get(id) ?? null;
  }

  /** A run that is in memory, as it was decided. */
  known(id: string): RunRecord | null {
    return this.#runs.get(id)?.working ?? this.#ended.get(id) ?? null;
  }

  /** Open runs of a line, those included that are not committed yet. */
  openOfLine(line: string): RunRecord[] {
    return this.#lookUp(this.#openOfLine.get(line));
  }

  countOfLine(line: string): number {
    return this.#openOfLine.get(line)?.size ?? 0;
  }

  /** Runs that wait for one agent, and may run nowhere else. */
  queuedFor(agent: string): RunRecord[] {
    return this.#lookUp(this.#openForAgent.get(agent)).filter(({ state }) => state === 'queued');
  }

  /** Runs with an attempt under way on an agent. */
  openOnAgent(agent: string): RunRecord[] {
    return this.#lookUp(this.#openOnAgent.get(agent));
  }

  countOnAgent(agent: string): number {
    return this.#openOnAgent.get(agent)?.size ?? 0;
  }

  /** Runs of a line with an attempt under way. */
  countUnderWay(line: string): number {
    return this.#underWay.get(line)?.size ?? 0;
  }

  agentsWithWork(): string[] {
    return [...this.#openOnAgent.keys()];
  }

  /** Open runs as they are committed, newest first. */
  committedOpen(): RunRecord[] {
    return [...this.#runs.values()]
      .flatMap(({ committed }) => committed ?? [])
      .toSorted((a, b) => (a.id < b.id ? 1 : -1));
  }

  /** How many runs that are not over are like this. */
  countOpen(isCounted: (run: RunRecord) => boolean): number {
    let count = 0;
    for (const { working } of this.#runs.values()) {
      if (!isOver(working.state) && isCounted(working)) count += 1;
    }
    return count;
  }

  committedJob(name: string): JobRecord | null {
    return this.#committedJobs.get(name) ?? null;
  }

  /** All jobs, by name. */
  committedJobs(): JobRecord[] {
    return [...this.#committedJobs.values()].toSorted((a, b) =>
      a.definition.name < b.definition.name ? -1 : 1,
    );
  }

  /** How many runs are open, by their committed state. */
  counts(): { readonly queued: number; readonly dispatched: number; readonly running: number } {
    return { ...this.#counts };
  }

  markOrdered(id: string, attempt: number): void {
    const entry = this.#runs.get(id);
    if (entry !== undefined) entry.orderSent = attempt;
  }

  /** Whether this process decided on the attempt, and has not sent its order yet. */
  isOrderPending(run: RunRecord): boolean {
    const attempt = openAttempt(run);
    return (
      attempt?.state === 'dispatched' &&
      attempt.orderedTerm === this.#context.term &&
      this.#runs.get(run.id)?.orderSent !== attempt.number
    );
  }

  /**
   * Puts changes into effect in memory and hands them to the database; resolves once committed. What the end
   * of a run brings about is decided here, and committed with it: both are there, or neither. New runs wait
   * for an agent at once: what is decided on them is committed with them, or later.
   */
  apply(changes: Changes): Promise<Written> {
    const all = [changes];
    const events = [...(changes.events ?? [])];
    const ended = this.#takeIn(changes, events);
    for (const run of ended) {
      for (const more of this.onEnded(run)) {
        all.push(more);
        ended.push(...this.#takeIn(more, events));
      }
    }
    const deliveries = this.deliveriesOf(events);
    const told = { ...changes, events, ...(deliveries.length === 0 ? {} : { deliveries }) };
    if (all.length === 1) return this.#context.committer.commit(told);
    const newRuns = all.flatMap((each) => each.newRuns ?? []);
    const runs = all.flatMap((each) => each.runs ?? []);
    return this.#commitWithFollowers({ ...told, newRuns, runs }, all.slice(1));
  }

  /** Takes note of what was committed. */
  noteCommitted(batch: Batch, written: Written): void {
    for (const run of batch.newRuns.values()) this.#noteNew(run, written.existing.has(run.id));
    for (const run of batch.runs.values()) this.#noteRun(run);
    for (const [name, job] of batch.jobs) {
      if (job === null) this.#committedJobs.delete(name);
      else this.#committedJobs.set(name, job);
    }
    const last = written.events.at(-1);
    if (last === undefined) return;
    this.#lastEvent = last.seq;
    for (const listener of this.#eventListeners) listener(written.events);
  }

  /** Runs that are over are not in the database any more. */
  forget(ids: readonly string[]): void {
    for (const id of ids) this.#ended.delete(id);
  }

  /** Calls back whenever a run was committed anew. */
  onRun(id: string, listener: () => void): () => void {
    const listeners = this.#runListeners.get(id) ?? new Set();
    this.#runListeners.set(id, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#runListeners.delete(id);
    };
  }

  /** The number of the newest event that was committed in this tenure; null before the first. */
  get lastEvent(): bigint | null {
    return this.#lastEvent;
  }

  onEvents(listener: (events: readonly EventRecord[]) => void): () => void {
    this.#eventListeners.add(listener);
    return () => this.#eventListeners.delete(listener);
  }

  async #commitWithFollowers(changes: Changes, more: readonly Changes[]): Promise<Written> {
    const written = await this.#context.committer.commit(changes);
    for (const run of more.flatMap(({ runs = [] }) => runs)) {
      if (!isOver(run.state)) this.onCancel(run);
    }
    return written;
  }

  /** Gives the runs that are over by these changes. */
  #takeIn(changes: Changes, events: NewEvent[]): RunRecord[] {
    const ended: RunRecord[] = [];
    for (const run of changes.newRuns ?? []) {
      if (isOver(run.state)) events.push(endEvent(run, momentOf(this.#context).now));
      else this.onNew(run);
      this.#runs.set(run.id, { working: run, committed: null, orderSent: 0 });
      this.#index(run);
      this.#enqueue(run);
    }
    for (const run of changes.runs ?? []) {
      if (isOver(run.state)) {
        events.push(endEvent(run, momentOf(this.#context).now));
        ended.push(run);
      }
      this.#change(run);
    }
    for (const job of changes.jobs ?? []) {
      this.jobs.set(job.definition.name, job);
      this.followers.set(job.definition.name, job.definition.after);
    }
    for (const name of changes.deletedJobs ?? []) {
      this.jobs.delete(name);
      this.followers.set(name, []);
    }
    return ended;
  }

  #change(run: RunRecord): void {
    const entry = this.#runs.get(run.id);
    if (entry === undefined) return;
    this.#unindex(entry.working);
    entry.working = run;
    this.#index(run);
    if (run.state === 'queued') this.#enqueue(run);
    else this.queue.remove(run.id);
    this.onQueued();
  }

  #noteNew(run: RunRecord, exists: boolean): void {
    const entry = this.#runs.get(run.id);
    if (entry === undefined) return;
    if (exists) {
      this.#unindex(entry.working);
      this.queue.remove(run.id);
      this.#runs.delete(run.id);
      this.onQueued();
      return;
    }
    this.#noteRun(run);
  }

  #noteRun(run: RunRecord): void {
    const entry = this.#runs.get(run.id);
    if (entry === undefined) return;
    this.#count(entry.committed, -1);
    this.#count(run, 1);
    entry.committed = run;
    if (isOver(run.state)) {
      this.#runs.delete(run.id);
      this.#keepEnded(run);
    }
    for (const listener of this.#runListeners.get(run.id) ?? []) listener();
  }

  #count(run: RunRecord | null, change: 1 | -1): void {
    const state = run?.state;
    if (state === 'queued' || state === 'dispatched' || state === 'running') {
      this.#counts[state] += change;
    }
  }

  #keepEnded(run: RunRecord): void {
    this.#ended.set(run.id, run);
    if (this.#ended.size <= ENDED_KEPT) return;
    const [oldest] = this.#ended.keys();
    if (oldest !== undefined) this.#ended.delete(oldest);
  }

  /** Into the queue, once the pause before its next attempt is over. */
  #enqueue(run: RunRecord): void {
    if (run.state !== 'queued') return;
    const pauseMs = waitMs(run, momentOf(this.#context).now);
    if (pauseMs === 0) {
      this.#toQueue(run);
      return;
    }
    const timer = setTimeout(() => {
      this.#pauses.delete(timer);
      const present = this.open(run.id);
      if (present?.state === 'queued' && present.notBefore === run.notBefore) {
        this.#toQueue(present);
      }
    }, pauseMs).unref();
    this.#pauses.add(timer);
  }

  #toQueue(run: RunRecord): void {
    this.queue.add(waitingOf(run));
    this.onQueued();
  }

  #index(run: RunRecord): void {
    if (isOver(run.state)) return;
    const line = lineOf(run);
    addTo(this.#openOfLine, line, run.id);
    if (run.target !== null) addTo(this.#openForAgent, run.target, run.id);
    const attempt = openAttempt(run);
    if (attempt === null) return;
    addTo(this.#openOnAgent, attempt.agent, run.id);
    addTo(this.#underWay, line, run.id);
  }

  #unindex(run: RunRecord): void {
    const line = lineOf(run);
    removeFrom(this.#openOfLine, line, run.id);
    if (run.target !== null) removeFrom(this.#openForAgent, run.target, run.id);
    const attempt = openAttempt(run);
    if (attempt === null) return;
    removeFrom(this.#openOnAgent, attempt.agent, run.id);
    removeFrom(this.#underWay, line, run.id);
  }

  #lookUp(ids: Iterable<string> = []): RunRecord[] {
    return [...ids].flatMap((id) => this.open(id) ?? []);
  }
}

function endEvent(run: RunRecord, at: number): NewEvent {
  const kind = run.state === 'lost' || run.state === 'skipped' ? `run-${run.state}` : 'run-ended';
  const why = run.reason === null ? '' : `: ${run.reason}`;
  return {
    at,
    kind: kind as 'run-lost' | 'run-skipped' | 'run-ended',
    subject: run.id,
    message: `run of ${run.job} is ${run.state}${why}`,
    facts: { job: run.job, state: run.state, exitCode: run.exitCode, agent: run.agent },
  };
}

function addTo(index: Map<string, Set<string>>, key: string, id: string): void {
  const known = index.get(key);
  if (known === undefined) index.set(key, new Set([id]));
  else known.add(id);
}

function removeFrom(index: Map<string, Set<string>>, key: string, id: string): void {
  const known = index.get(key);
  if (known?.delete(id) && known.size === 0) index.delete(key);
}
