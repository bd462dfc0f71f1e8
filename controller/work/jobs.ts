import type { Job, NextInstants } from '@understudy/shared/protocol/api';
import { checkSchedule, nextInstants } from '../scheduler/instants.ts';
import { type By, NOBODY } from '../security/audit.ts';
import type { JobRecord } from '../store/records.ts';
import { committed, momentOf, requireStore, type TenureContext } from './context.ts';
import { checkLoops, checkNotPast, checkParameters } from './job-checks.ts';
import { Refusal } from './refusal.ts';
import type { WorkState } from './state.ts';

/** Keeps the definitions of jobs. */
export class JobService {
  readonly #context: TenureContext;
  readonly #state: WorkState;
  /** Called before the schedule of a job is changed: what it has brought until now is decided by it. */
  onChange: (name: string) => void = () => undefined;

  constructor(context: TenureContext, state: WorkState) {
    this.#context = context;
    this.#state = state;
  }

  get(name: string): JobRecord {
    const job = this.#state.committedJob(name);
    if (job === null) throw new Refusal('unknown-job', `there is no job ${name}`);
    return job;
  }

  /** The next instants of its schedule, as it is committed. */
  next(name: string, count: number): NextInstants {
    const { definition, decidedUntil } = this.get(name);
    const { schedule, paused } = definition;
    const after = Math.max(decidedUntil, momentOf(this.#context).now);
    const found = schedule === null ? [] : nextInstants(schedule, after, count);
    return { job: name, paused, items: found.map((at) => new Date(at).toISOString()) };
  }

  async create(definition: Job, by: By = NOBODY): Promise<JobRecord> {
    if (this.#state.jobs.has(definition.name)) {
      throw new Refusal('job-exists', `there is a job ${definition.name} already`);
    }
    return (await this.apply(definition, by)).job;
  }

  /**
   * Creates or replaces a job. Instants of a schedule count from when it was set; while the job is paused
   * they are recorded as skipped.
   */
  async apply(definition: Job, by: By = NOBODY): Promise<{ job: JobRecord; isNew: boolean }> {
    requireStore(this.#context);
    checkSchedule(definition);
    checkParameters(definition);
    checkLoops(definition, this.#state.followers);
    this.onChange(definition.name);
    const { now } = momentOf(this.#context);
    const old = this.#state.jobs.get(definition.name);
    const goesOn = old !== undefined && sameSchedule(old.definition, definition);
    if (!goesOn) checkNotPast(definition, now);
    const job: JobRecord = {
      definition,
      decidedUntil: goesOn ? old.decidedUntil : now,
      createdAt: old?.createdAt ?? now,
      updatedAt: now,
    };
    const { name } = definition;
    const message = `job ${name} was ${old === undefined ? 'created' : 'changed'}`;
    const event = { at: now, kind: 'job-applied', subject: name, message, facts: {} } as const;
    await committed(this.#context, this.#state.apply({ jobs: [job], events: [event], ...by }));
    return { job, isNew: old === undefined };
  }

  async setPaused(name: string, paused: boolean, by: By = NOBODY): Promise<JobRecord> {
    // As decided, not as committed: a change that is still under way must not be undone.
    const { definition } = this.#state.jobs.get(name) ?? this.get(name);
    return (await this.apply({ ...definition, paused }, by)).job;
  }

  /** Its runs stay on record, and those that are not over go on. */
  async delete(name: string, by: By = NOBODY): Promise<void> {
    requireStore(this.#context);
    this.get(name);
    const { now } = momentOf(this.#context);
    const message = `job ${name} was deleted`;
    const event = { at: now, kind: 'job-deleted', subject: name, message, facts: {} } as const;
    await committed(
      this.#context,
      this.#state.apply({ deletedJobs: [name], events: [event], ...by }),
    );
  }
}

function sameSchedule(a: Job, b: Job): boolean {
  return JSON.stringify(a.schedule) === JSON.stringify(b.schedule);
}
