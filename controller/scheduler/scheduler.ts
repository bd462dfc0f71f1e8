import { messageOf } from '@understudy/shared/runtime/errors';
import { schedule as scheduleTick } from 'node-cron';
import { isOver, type RunRecord } from '../dispatch/run.ts';
import { Backlog } from '../schedule/backlog.ts';
import { type Due, decideDue } from '../schedule/due.ts';
import { decideOverlap } from '../schedule/overlap.ts';
import type { Changes } from '../store/changes.ts';
import type { JobRecord, NewEvent } from '../store/records.ts';
import { momentOf, type TenureContext } from '../work/context.ts';
import type { RunService } from '../work/runs.ts';
import type { WorkState } from '../work/state.ts';
import { instantsOf } from './cron.ts';

interface Plan {
  readonly cron: string;
  readonly timezone: string;
  readonly backlog: Backlog;
  /** As the job row has it once the last decision is committed. */
  decidedUntil: number;
}

/** So long one tick may look for instants; what is left is for the next. */
const TICK_BUDGET_MS = 20;
/** So many instants of one job are decided in one tick. */
const DECIDED_AT_ONCE = 200;
/** So many instants each job may look at, whatever the others need: none waits for their backlog. */
const SHARE = 4;
/** When something is left the next tick comes so soon; commits happen in between. */
const GO_ON_MS = 50;

const TICK_EVERY_MS = 1_000;

/**
 * Makes runs of what is due. The tick is a hint: what is due is computed from the last instant that was
 * decided, which lies in the database. When nothing is due, nothing is asked of it. The library ticks with
 * each minute of the wall clock, a timer with each second: when that clock is put back by an hour, the
 * library is silent for an hour, and when it jumps ahead, the library counts all that it missed.
 */
export class Scheduler {
  readonly #context: TenureContext;
  readonly #state: WorkState;
  readonly #runs: RunService;
  readonly #plans = new Map<string, Plan>();
  #lastTickMs: number;
  #stopTicking: () => void = () => undefined;
  #next: NodeJS.Timeout | undefined;
  #goOn: NodeJS.Timeout | undefined;
  #isStopped = false;
  #isPaused = false;

  constructor(context: TenureContext, state: WorkState, runs: RunService) {
    this.#context = context;
    this.#state = state;
    this.#runs = runs;
    this.#lastTickMs = context.clock.monotonicMs();
  }

  start(): void {
    this.#lastTickMs = this.#context.clock.monotonicMs();
    const task = scheduleTick('* * * * *', () => this.tick(), { suppressMissedWarning: true });
    this.#stopTicking = () => void task.stop();
    this.#tickWithEachSecond();
    const signal = this.#context.failpoints.stopSchedulerOn;
    if (signal !== null) process.once(signal, () => this.stop());
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#goOn);
    clearTimeout(this.#next);
    this.#stopTicking();
  }

  /** It goes on ticking, but decides nothing: what is due stays due. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    this.#isPaused = false;
    if (!this.#isStopped) this.tick();
  }

  /** How long ago it last looked, in milliseconds. */
  get tickAgeMs(): number {
    return this.#context.clock.monotonicMs() - this.#lastTickMs;
  }

  tick(): void {
    this.#lastTickMs = this.#context.clock.monotonicMs();
    const { committer, guard } = this.#context;
    // Nothing is decided that can't be committed: the instants are still there when it can.
    if (this.#isPaused || committer.isAway || !guard.mayAct()) return;
    clearTimeout(this.#goOn);
    const until = this.#lastTickMs + TICK_BUDGET_MS;
    let isDone = true;
    for (const job of this.#state.jobs.values()) {
      try {
        isDone = this.#decide(job, until) && isDone;
      } catch (error) {
        this.#context.log.error('a schedule could not be computed', {
          job: job.definition.name,
          error: messageOf(error),
        });
      }
    }
    if (!isDone && !this.#isStopped) this.#goOn = setTimeout(() => this.tick(), GO_ON_MS).unref();
  }

  #tickWithEachSecond(): void {
    const intoSecond =
      ((this.#context.clock.wallMs() % TICK_EVERY_MS) + TICK_EVERY_MS) % TICK_EVERY_MS;
    this.#next = setTimeout(() => {
      this.tick();
      this.#tickWithEachSecond();
    }, TICK_EVERY_MS - intoSecond);
  }

  /** Gives whether nothing is left to decide at this moment. */
  #decide(job: JobRecord, until: number): boolean {
    const { schedule, paused, name, catchUp } = job.definition;
    if (schedule === null || paused) return true;
    const { now } = momentOf(this.#context);
    const plan = this.#planOf(job, schedule);
    const { backlog } = plan;
    if (backlog.nextAt === null || backlog.nextAt > now) return true;
    let share = SHARE;
    const mayGoOn = () => share-- > 0 || this.#context.clock.monotonicMs() < until;
    if (!backlog.look(now, mayGoOn)) return false;
    const { instants, rest, cut } = backlog.take(DECIDED_AT_ONCE);
    const decidedUntil = instants.at(-1) ?? job.decidedUntil;
    plan.decidedUntil = decidedUntil;
    const due = decideDue({ instants, isPart: rest > 0, now, catchUp });
    const events: NewEvent[] = cut ? [cutEvent(name, now)] : [];
    void this.#runs.carryOut({
      jobs: [{ ...job, decidedUntil }],
      events,
      ...this.#runsOf(job, due),
    });
    return rest === 0;
  }

  /**
   * The runs of one decision. They are planned before any of them is in the state, so of several that run
   * at once each but the first counts as one that overlaps with an open run.
   */
  #runsOf(job: JobRecord, due: Due): Changes {
    const request = (at: number) => ({ scheduledFor: at, parameters: {}, idempotencyKey: null });
    const newRuns = due.skipped.map(({ at, reason }) =>
      this.#runs.skipped(this.#runs.fresh(job, request(at)), reason),
    );
    const runs: RunRecord[] = [];
    let isOpen = false;
    for (const at of due.run) {
      const planned = this.#runs.plan(job, request(at));
      const overlap = decideOverlap(job.definition.overlap, isOpen ? 1 : 0);
      const [run] = planned.newRuns ?? [];
      if (run === undefined) continue;
      const isSkipped = overlap.type === 'skip' && !isOver(run.state);
      newRuns.push(isSkipped ? this.#runs.skipped(run, overlap.reason) : run);
      if (!isOver(run.state)) isOpen = true;
      // What the first one replaces is replaced once.
      if (runs.length === 0) runs.push(...(planned.runs ?? []));
    }
    return { newRuns, runs };
  }

  #planOf(job: JobRecord, schedule: { cron: string; timezone: string }): Plan {
    const { name } = job.definition;
    const known = this.#plans.get(name);
    const isSame = known?.cron === schedule.cron && known.timezone === schedule.timezone;
    // A job that was paused, or deleted and made again, may have moved on.
    if (known !== undefined && isSame && known.decidedUntil === job.decidedUntil) return known;
    const { decidedUntil } = job;
    const plan = {
      ...schedule,
      backlog: new Backlog(instantsOf(schedule), decidedUntil),
      decidedUntil,
    };
    this.#plans.set(name, plan);
    return plan;
  }
}

function cutEvent(job: string, at: number): NewEvent {
  return {
    at,
    kind: 'schedule-cut',
    subject: job,
    message: `more instants of ${job} were missed than are recorded; the oldest were left out`,
    facts: {},
  };
}
