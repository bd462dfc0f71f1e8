import type { Schedule } from '@understudy/shared/protocol/schedule';
import { messageOf } from '@understudy/shared/runtime/errors';
import { schedule as scheduleTick } from 'node-cron';
import type { RunRecord } from '../dispatch/run.ts';
import { whyMissed } from '../schedule/absence.ts';
import { Backlog } from '../schedule/backlog.ts';
import { type Due, decideDue } from '../schedule/due.ts';
import type { Changes } from '../store/changes.ts';
import type { JobRecord, NewEvent } from '../store/records.ts';
import { momentOf, type TenureContext } from '../work/context.ts';
import type { Ahead, RunPlanner } from '../work/planner.ts';
import type { RunService } from '../work/runs.ts';
import type { WorkState } from '../work/state.ts';
import { instantsOf } from './instants.ts';

export interface SchedulerParts {
  readonly state: WorkState;
  readonly planner: RunPlanner;
  readonly runs: Pick<RunService, 'carryOut'>;
}

interface Plan {
  schedule: Schedule;
  readonly backlog: Backlog;
  /** As the job row has it once the last decision is committed. */
  decidedUntil: number;
}

/** So long one tick may look for instants; what is left is for the next. */
const TICK_BUDGET_MS = 20;
/** So many instants of one job are decided in one tick. */
const DECIDED_AT_ONCE = 200;
/** So many schedules are looked at for the first time in one tick, whatever the time. */
const NEW_AT_ONCE = 20;
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
  readonly #planner: RunPlanner;
  readonly #runs: Pick<RunService, 'carryOut'>;
  readonly #plans = new Map<string, Plan>();
  #lastTickMs: number;
  #stopTicking: () => void = () => undefined;
  #next: NodeJS.Timeout | undefined;
  #goOn: NodeJS.Timeout | undefined;
  #isStopped = false;
  #isPaused = false;
  #activeSince = 0;
  /** Schedules that were looked at for the first time in this tick. */
  #newPlans = 0;
  /** Since when it may not decide; null: it may. */
  #heldFrom: number | null = null;
  #held: { readonly from: number; readonly to: number } | null = null;

  constructor(context: TenureContext, { state, planner, runs }: SchedulerParts) {
    this.#context = context;
    this.#state = state;
    this.#planner = planner;
    this.#runs = runs;
    this.#lastTickMs = context.clock.monotonicMs();
  }

  start(): void {
    this.#lastTickMs = this.#context.clock.monotonicMs();
    this.#activeSince = this.#context.clock.wallMs();
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
    if (!this.#mayDecide()) return;
    clearTimeout(this.#goOn);
    const until = this.#lastTickMs + TICK_BUDGET_MS;
    let isDone = true;
    this.#newPlans = 0;
    for (const job of this.#state.jobs.values()) isDone = this.#decide(job, until) && isDone;
    this.#forgetDeleted();
    if (!isDone && !this.#isStopped) this.#goOn = setTimeout(() => this.tick(), GO_ON_MS).unref();
  }

  /** Decides about all that has come up for a job, before something else becomes of its schedule. */
  settle(name: string): void {
    if (!this.#mayDecide()) return;
    for (let isDone = false; !isDone; ) {
      const job = this.#state.jobs.get(name);
      isDone = job === undefined || this.#decide(job, Number.POSITIVE_INFINITY);
    }
  }

  /** Nothing is decided that can't be committed: the instants are still there when it can. */
  #mayDecide(): boolean {
    const { committer, guard, clock } = this.#context;
    const may = !this.#isPaused && !committer.isAway && guard.mayAct();
    if (!may) {
      this.#heldFrom ??= clock.wallMs();
    } else if (this.#heldFrom !== null) {
      this.#held = { from: this.#heldFrom, to: clock.wallMs() };
      this.#heldFrom = null;
    }
    return may;
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
    const { schedule, name } = job.definition;
    if (schedule === null) return true;
    try {
      const plan = this.#planOf(job, schedule, until);
      return plan !== null && this.#decideBy(plan, job, until);
    } catch (error) {
      const facts = { job: name, error: messageOf(error) };
      this.#context.log.error('a schedule could not be computed', facts);
      return true;
    }
  }

  #decideBy(plan: Plan, job: JobRecord, until: number): boolean {
    const { now } = momentOf(this.#context);
    const { backlog } = plan;
    if (backlog.nextAt === null || backlog.nextAt > now) return true;
    let share = SHARE;
    const mayGoOn = () => share-- > 0 || this.#context.clock.monotonicMs() < until;
    if (!backlog.look(now, mayGoOn)) return false;
    const { instants, rest, cut } = backlog.take(DECIDED_AT_ONCE);
    const decidedUntil = instants.at(-1) ?? job.decidedUntil;
    plan.decidedUntil = decidedUntil;
    const absence = { activeSince: this.#activeSince, held: this.#held };
    const due = decideDue({
      ...{ instants, isPart: rest > 0, now, policy: job.definition },
      whyMissed: (at) => whyMissed(at, absence),
    });
    const events = cut ? [cutEvent(job, instants[0] ?? now, now)] : [];
    void this.#runs.carryOut({
      jobs: [{ ...job, decidedUntil }],
      events,
      ...this.#runsOf(job, due),
    });
    return rest === 0;
  }

  /**
   * The runs of one decision. They are planned before any of them is in the state, so those that were planned
   * before count as open beside it.
   */
  #runsOf(job: JobRecord, due: Due): Changes {
    const fixed = { parameters: {}, idempotencyKey: null, orderedBy: 'schedule' };
    const request = (at: number) => ({ ...fixed, scheduledFor: at });
    const newRuns = due.skipped.map(({ at, reason }) =>
      this.#planner.skipped(this.#planner.fresh(job, request(at)), reason),
    );
    const runs = new Map<string, RunRecord>();
    const ahead: Ahead = new Map();
    for (const at of due.run) {
      const planned = this.#planner.plan(job, request(at), ahead);
      newRuns.push(...(planned.newRuns ?? []));
      // What the first one replaces is replaced once.
      for (const run of planned.runs ?? []) runs.set(run.id, run);
    }
    return { newRuns, runs: [...runs.values()] };
  }

  /** Null: there was no time to look at this schedule for the first time. */
  #planOf(job: JobRecord, schedule: Schedule, until: number): Plan | null {
    const { name } = job.definition;
    const { decidedUntil } = job;
    const known = this.#plans.get(name);
    // A job that was paused, or deleted and made again, may have moved on.
    if (known !== undefined && known.decidedUntil === decidedUntil) {
      if (known.schedule === schedule) return known;
      if (JSON.stringify(known.schedule) === JSON.stringify(schedule)) {
        known.schedule = schedule;
        return known;
      }
    }
    if (known === undefined) {
      if (this.#newPlans >= NEW_AT_ONCE && this.#context.clock.monotonicMs() > until) return null;
      this.#newPlans += 1;
    }
    const backlog = new Backlog(instantsOf(schedule), decidedUntil);
    const plan = { schedule, backlog, decidedUntil };
    this.#plans.set(name, plan);
    return plan;
  }

  #forgetDeleted(): void {
    if (this.#plans.size <= this.#state.jobs.size) return;
    for (const name of this.#plans.keys()) {
      if (!this.#state.jobs.has(name)) this.#plans.delete(name);
    }
  }
}

function cutEvent({ definition, decidedUntil }: JobRecord, kept: number, at: number): NewEvent {
  const [from, to] = [iso(decidedUntil), iso(kept)];
  return {
    at,
    kind: 'schedule-cut',
    subject: definition.name,
    message: `more instants of ${definition.name} were missed than are recorded one by one: those after ${from} and before ${to} are not`,
    facts: { after: from, before: to },
  };
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
