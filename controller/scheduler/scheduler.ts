import { messageOf } from '@understudy/shared/runtime/errors';
import { schedule as scheduleTick } from 'node-cron';
import { decideDue, type Instants } from '../schedule/due.ts';
import type { Changes } from '../store/changes.ts';
import type { JobRecord, NewEvent } from '../store/records.ts';
import { momentOf, type TenureContext } from '../work/context.ts';
import type { RunService } from '../work/runs.ts';
import type { WorkState } from '../work/state.ts';
import { instantsOf } from './cron.ts';

interface Plan {
  readonly cron: string;
  readonly timezone: string;
  readonly instants: Instants;
  /** From when on there may be something to decide. */
  nextAt: number | null;
}

/**
 * Makes runs of what is due. The tick, once a second, is a hint: what is due is computed from the last
 * instant that was decided, which lies in the database. When nothing is due, nothing is asked of it.
 */
export class Scheduler {
  readonly #context: TenureContext;
  readonly #state: WorkState;
  readonly #runs: RunService;
  readonly #plans = new Map<string, Plan>();
  #lastTickMs: number;
  #stopTicking: () => void = () => undefined;

  constructor(context: TenureContext, state: WorkState, runs: RunService) {
    this.#context = context;
    this.#state = state;
    this.#runs = runs;
    this.#lastTickMs = context.clock.monotonicMs();
  }

  start(): void {
    this.#lastTickMs = this.#context.clock.monotonicMs();
    const task = scheduleTick('* * * * * *', () => this.tick());
    this.#stopTicking = () => void task.stop();
    const signal = this.#context.failpoints.stopSchedulerOn;
    if (signal !== null) process.once(signal, () => this.stop());
  }

  stop(): void {
    this.#stopTicking();
  }

  /** How long ago it last looked, in milliseconds. */
  get tickAgeMs(): number {
    return this.#context.clock.monotonicMs() - this.#lastTickMs;
  }

  tick(): void {
    this.#lastTickMs = this.#context.clock.monotonicMs();
    const { committer, guard } = this.#context;
    // Nothing is decided that can't be committed: the instants are still there when it can.
    if (committer.isAway || !guard.mayAct()) return;
    for (const job of this.#state.jobs.values()) {
      try {
        this.#decide(job);
      } catch (error) {
        this.#context.log.error('a schedule could not be computed', {
          job: job.definition.name,
          error: messageOf(error),
        });
      }
    }
  }

  #decide(job: JobRecord): void {
    const { schedule, paused, name, catchUp } = job.definition;
    if (schedule === null || paused) return;
    const { now } = momentOf(this.#context);
    const plan = this.#planOf(job, schedule);
    if (plan.nextAt === null || plan.nextAt > now) return;
    const { instants } = plan;
    const due = decideDue({ instants, decidedUntil: job.decidedUntil, now, catchUp });
    plan.nextAt = instants.next(due.decidedUntil);
    if (due.decidedUntil === job.decidedUntil) return;
    const events: NewEvent[] = due.cut ? [cutEvent(name, now)] : [];
    void this.#state.apply({ jobs: [{ ...job, decidedUntil: due.decidedUntil }], events });
    for (const { at, reason } of due.skipped) this.#make(job, at, reason);
    for (const at of due.run) this.#make(job, at, null);
  }

  #make(job: JobRecord, at: number, skipReason: string | null): void {
    const request = { scheduledFor: at, parameters: {}, idempotencyKey: null };
    const planned: Changes =
      skipReason === null
        ? this.#runs.plan(job, request)
        : { newRuns: [this.#runs.skipped(this.#runs.fresh(job, request), skipReason)] };
    void this.#runs.carryOut(planned);
  }

  #planOf(job: JobRecord, schedule: { cron: string; timezone: string }): Plan {
    const { name } = job.definition;
    const known = this.#plans.get(name);
    const isSame = known?.cron === schedule.cron && known.timezone === schedule.timezone;
    // A job that was paused, or deleted and made again, may have moved on.
    if (known !== undefined && isSame && (known.nextAt ?? Infinity) > job.decidedUntil)
      return known;
    const instants = instantsOf(schedule);
    const plan = { ...schedule, instants, nextAt: instants.next(job.decidedUntil) };
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
