import type { Job } from '@understudy/shared/protocol/api';
import { resolveParameters } from '@understudy/shared/protocol/parameters';
import { keyOfFollower } from '../dispatch/after.ts';
import type { RunRecord } from '../dispatch/run.ts';
import { isOver } from '../dispatch/run.ts';
import { cancelRun } from '../dispatch/transitions.ts';
import { decideOverlap, limitOf } from '../schedule/overlap.ts';
import type { Changes } from '../store/changes.ts';
import type { Reader, RunFilter } from '../store/reader.ts';
import type { JobRecord } from '../store/records.ts';
import { committed, momentOf, requireStore, type TenureContext } from './context.ts';
import { Refusal } from './refusal.ts';
import type { WorkState } from './state.ts';

/** What a new run is made for. */
export interface RunRequest {
  readonly scheduledFor: number | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly idempotencyKey: string | null;
  /** What its command is told; without it the instant that it is scheduled for. */
  readonly instant?: number | null;
}

export interface Submitted {
  readonly run: RunRecord;
  /** False: the run of an earlier request with the same key. */
  readonly isNew: boolean;
}

/** Of a run that nothing has happened to. */
const untouched = {
  startedAt: null,
  finishedAt: null,
  exitCode: null,
  reason: null,
  agent: null,
  notBefore: null,
  cancelReason: null,
  attempts: [],
} as const;

/** Makes, cancels and repeats runs. */
export class RunService {
  readonly #context: TenureContext;
  readonly #state: WorkState;
  readonly #reader: Reader;
  /** Requests with a key whose run is not committed yet, by job and key. */
  readonly #making = new Map<string, Promise<Submitted>>();
  /** Called when a run that an agent has is to be cancelled, once that is committed. */
  onCancel: (run: RunRecord) => void = () => undefined;

  constructor(context: TenureContext, state: WorkState, reader: Reader) {
    this.#context = context;
    this.#state = state;
    this.#reader = reader;
  }

  /** Makes a run of a job now. The answer is committed. */
  async submit(job: JobRecord, request: RunRequest): Promise<Submitted> {
    requireStore(this.#context);
    const { name, overlap } = job.definition;
    return await this.#once(name, request.idempotencyKey, async () => {
      // Where another run would suffer, the key is looked up before; else the database says it on insert.
      const { idempotencyKey: key } = request;
      const isHarmless = overlap === 'allow' || overlap === 'queue';
      const earlier = key === null || isHarmless ? null : await this.#reader.runByKey(name, key);
      if (earlier !== null) return { run: await this.get(earlier), isNew: false };
      const changes = this.plan(job, request);
      const [run] = changes.newRuns ?? [];
      if (run === undefined) throw new Error('a request makes one run');
      return await this.#create(run, changes);
    });
  }

  /**
   * What one more run of a job changes, other runs included that overlap with it. `ahead` runs of the job
   * are planned already, and not yet in the state.
   */
  plan(job: JobRecord, request: RunRequest, ahead = 0): Changes {
    const { definition } = job;
    const run = this.fresh(job, request);
    const decision = decideOverlap(definition, this.#state.countOfJob(run.job) + ahead);
    if (decision.type === 'queue') return { newRuns: [run] };
    if (decision.type === 'skip') return { newRuns: [this.skipped(run, decision.reason)] };
    const replaced = this.#state
      .openOfJob(run.job)
      .slice(0, decision.count)
      .filter(({ id }) => this.#state.committedRun(id) !== null)
      .map((each) => cancelRun(each, decision.reason, momentOf(this.#context)));
    return { newRuns: [run], runs: replaced };
  }

  /** The runs that follow the end of one, each with what it does to others of its job. */
  followersOf(cause: RunRecord): Changes[] {
    return this.#state.followers.of(cause.job, cause.state).flatMap((name) => {
      const job = this.#state.jobs.get(name);
      if (job === undefined) return [];
      const { instant } = cause.spec;
      const idempotencyKey = keyOfFollower(cause.id);
      const request = { scheduledFor: null, parameters: {}, idempotencyKey, instant };
      if (!job.definition.paused) return [this.plan(job, request)];
      return [{ newRuns: [this.skipped(this.fresh(job, request), 'the job is paused')] }];
    });
  }

  /** A run that is not yet anywhere but here. */
  fresh({ definition }: JobRecord, request: RunRequest): RunRecord {
    const moment = momentOf(this.#context);
    const { scheduledFor, idempotencyKey, instant = scheduledFor } = request;
    return {
      ...{ scheduledFor, idempotencyKey },
      parameters: parametersOf(definition, request),
      id: this.#context.newId(),
      job: definition.name,
      state: 'queued',
      createdAt: moment.now,
      spec: {
        command: definition.command,
        env: definition.env,
        selector: definition.selector,
        delivery: definition.delivery,
        retries: definition.retries,
        onAgentLost: definition.onAgentLost,
        timeoutMs: definition.timeoutMs,
        priority: definition.priority,
        limit: limitOf(definition),
        instant,
      },
      ...untouched,
      retryOf: null,
      term: moment.term,
    };
  }

  /** The same run, not to be carried out. */
  skipped(run: RunRecord, reason: string): RunRecord {
    return { ...run, state: 'skipped', reason, finishedAt: run.createdAt };
  }

  /** Puts planned changes into effect and, once they are committed, tells the agents. */
  async carryOut(changes: Changes): Promise<void> {
    await this.#state.apply(changes);
    for (const run of changes.runs ?? []) if (!isOver(run.state)) this.onCancel(run);
  }

  /** Asks to cancel a run. Gives the run as it is then; one that is over stays as it is. */
  async cancel(id: string, reason: string): Promise<RunRecord> {
    requireStore(this.#context);
    const run = this.#state.open(id);
    if (run === null) return await this.get(id);
    const cancelled = cancelRun(run, reason, momentOf(this.#context));
    await committed(this.#context, this.carryOut(cancelled === run ? {} : { runs: [cancelled] }));
    return await this.get(id);
  }

  /**
   * Makes a new run that repeats one that is over; what is over stays as it is. It has no instant of its
   * own, but its command is told the instant of the first.
   */
  async retry(id: string, idempotencyKey: string | null): Promise<Submitted> {
    requireStore(this.#context);
    const old = await this.get(id);
    if (!isOver(old.state)) throw new Refusal('run-not-over', `run ${id} is ${old.state}`);
    const moment = momentOf(this.#context);
    const run: RunRecord = {
      ...old,
      id: this.#context.newId(),
      state: 'queued',
      scheduledFor: null,
      createdAt: moment.now,
      idempotencyKey,
      ...untouched,
      retryOf: old.id,
      term: moment.term,
    };
    return await this.#once(run.job, idempotencyKey, () => this.#create(run, { newRuns: [run] }));
  }

  /**
   * Runs as they are committed, newest first. While the database is away those that are open can be given,
   * because all of them are here, when nobody asks for more than them.
   */
  async list(filter: RunFilter): Promise<RunRecord[]> {
    const { job, state, agent, after, limit } = filter;
    const isOfOpen = state !== null && !isOver(state);
    if (!this.#reader.isAway || !isOfOpen) return await this.#reader.listRuns(filter);
    return this.#state
      .committedOpen()
      .filter((run) => run.state === state && (job === null || run.job === job))
      .filter((run) => agent === null || run.agent === agent)
      .filter((run) => after === null || run.id < after)
      .slice(0, limit);
  }

  /** A run as it is committed. */
  async get(id: string): Promise<RunRecord> {
    const run = this.#state.committedRun(id) ?? (await this.#reader.run(id));
    if (run === null) throw new Refusal('unknown-run', `there is no run ${id}`);
    return run;
  }

  /**
   * Makes a run, unless a request with the same key does so at this moment: then that one's run is the
   * answer. A request that waits no longer leaves its mark until its run is committed.
   */
  async #once(job: string, key: string | null, make: () => Promise<Submitted>): Promise<Submitted> {
    if (key === null) return await committed(this.#context, make());
    const name = JSON.stringify([job, key]);
    const underWay = this.#making.get(name);
    if (underWay !== undefined) {
      const { run } = await committed(this.#context, underWay);
      return { run: await this.get(run.id), isNew: false };
    }
    const made = make();
    const forget = () => this.#making.delete(name);
    this.#making.set(name, made);
    made.then(forget, forget);
    return await committed(this.#context, made);
  }

  /** Resolves once the run is committed, or it turns out that the database has an earlier one. */
  async #create(run: RunRecord, changes: Changes): Promise<Submitted> {
    const { existing } = await this.#state.apply(changes);
    for (const each of changes.runs ?? []) if (!isOver(each.state)) this.onCancel(each);
    const earlier = existing.get(run.id);
    if (earlier === undefined) {
      this.#context.failpoints.pass('after-commit-before-reply');
      return { run, isNew: true };
    }
    return { run: await this.get(earlier), isNew: false };
  }
}

/** What was given, checked and completed. */
function parametersOf({ parameters }: Job, request: RunRequest): Record<string, string> {
  const resolved = resolveParameters(parameters, request.parameters);
  if ('parameters' in resolved) return resolved.parameters;
  const { wrong } = resolved;
  const summary = wrong.map(({ field, expected }) => `${field}: expected ${expected}`);
  throw new Refusal('invalid', summary.join('; '), wrong);
}
