import { isFollowed } from '@understudy/controller/dispatch/after';
import { isOver, mayFollow, type RunRecord } from '@understudy/controller/dispatch/run';
import type { Term } from '@understudy/shared/kernel/term';
import type { Writes } from '../store/repository.ts';
import type { SimAgent } from '../work/agent.ts';
import type { World } from '../world.ts';

interface Ordered {
  readonly run: string;
  readonly attempt: number;
  readonly term: Term;
  readonly delivery: 'at-most-once' | 'at-least-once';
}

/** What must hold of runs, attempts and agents: I5 to I8. */
export class WorkAudit {
  readonly #world: () => World;
  readonly #breach: (rule: string, text: string) => void;
  readonly #startsOfRun = new Map<string, number>();
  readonly #startsOfAttempt = new Set<string>();
  /** Runs that were committed since the last fail-over of the store. */
  #committed: string[] = [];
  /** Runs that users were told of. */
  readonly #acknowledged = new Set<string>();
  /** What a fail-over of the store lost is reported as lost by nobody: its runs are not judged. */
  readonly #lossy = new Set<string>();

  constructor(world: () => World, breach: (rule: string, text: string) => void) {
    this.#world = world;
    this.#breach = breach;
  }

  acknowledged({ id }: RunRecord): void {
    this.#acknowledged.add(id);
  }

  /** I7: a run goes forward only, and never on after its end. */
  committed({ newRuns, runs }: Writes): void {
    for (const { id } of newRuns) this.#committed.push(id);
    const { repository } = this.#world().server;
    for (const run of runs) {
      const before = repository.get(run.id);
      if (before === undefined || before.state === run.state || isOver(before.state)) continue;
      // Between two commits it may have been back in the queue.
      if (run.attempts.length > before.attempts.length) continue;
      if (!mayFollow(before.state, run.state)) {
        this.#breach('I7', `run ${run.id} went from ${before.state} to ${run.state}`);
      }
    }
  }

  /** I8: an agent acts on no order below the highest term that it has seen. */
  accepted(agent: SimAgent, { term, run }: Ordered): void {
    if (term >= agent.highest) return;
    this.#breach('I8', `${agent.name} acts for ${run} on term ${term}, has seen ${agent.highest}`);
  }

  /** I5: one process for an attempt, and one for an at-most-once run. */
  started(agent: SimAgent, { run, attempt, delivery }: Ordered): void {
    const { counters, trace } = this.#world();
    counters.starts += 1;
    trace?.(agent.name, `starts attempt ${attempt} of ${run}, ${delivery}`);
    const id = `${run}.${attempt}`;
    const starts = (this.#startsOfRun.get(run) ?? 0) + 1;
    this.#startsOfRun.set(run, starts);
    const isAgain = this.#startsOfAttempt.has(id);
    this.#startsOfAttempt.add(id);
    if (this.#lossy.has(run)) return;
    if (isAgain) this.#breach('I5', `attempt ${attempt} of ${run} was started twice`);
    if (delivery === 'at-most-once' && starts > 1) {
      this.#breach('I5', `at-most-once run ${run} was started ${starts} times`);
    }
  }

  /** What is known of a run from before may have been lost. */
  failedOver(): void {
    for (const run of this.#committed) this.#lossy.add(run);
    this.#committed = [];
  }

  /** I6: what users were told of is there, and over in the end. The first that is not; null: none. */
  unfinished(): string | null {
    const { repository } = this.#world().server;
    for (const id of this.#acknowledged) {
      const run = repository.get(id);
      if (run === undefined && this.#lossy.has(id)) continue;
      if (run === undefined) return `run ${id} was acknowledged and is gone`;
      if (!isOver(run.state)) return `run ${id} is still ${run.state}`;
      if (this.#lossy.has(id) || !isFollowed('ended', run.state)) continue;
      const follower = repository.get(`${id}-after`);
      if (follower === undefined) return `nothing followed the end of run ${id}`;
      if (!isOver(follower.state)) return `run ${follower.id} is still ${follower.state}`;
    }
    return null;
  }

  /** I8, once all is healed: every agent follows the highest term. */
  astray(): string | null {
    const { agents, audit } = this.#world();
    for (const agent of agents) {
      if (agent.followed !== audit.highestGranted) return `${agent.name} is ${agent.phase}`;
    }
    return null;
  }
}
