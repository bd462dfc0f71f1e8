import { actionOf, mannerOf } from '@understudy/shared/protocol/action';
import type { Job } from '@understudy/shared/protocol/api';
import { resolveParameters } from '@understudy/shared/protocol/parameters';
import { keyOfFollower } from '../dispatch/after.ts';
import { isOver, lineOf, type RunRecord, type RunSpec } from '../dispatch/run.ts';
import { cancelRun } from '../dispatch/transitions.ts';
import { decideOverlap, limitOf } from '../schedule/overlap.ts';
import type { Changes } from '../store/changes.ts';
import type { JobRecord } from '../store/records.ts';
import { momentOf, type TenureContext } from './context.ts';
import { Refusal } from './refusal.ts';
import type { WorkState } from './state.ts';

/** What a new run is made for. */
export interface RunRequest {
  readonly scheduledFor: number | null;
  readonly parameters: Readonly<Record<string, string>>;
  readonly idempotencyKey: string | null;
  /** Who wants it: `schedule`, `after`, or the name of a caller. */
  readonly orderedBy: string;
  /** What its command is told; without it the instant that it is scheduled for. */
  readonly instant?: number | null;
}

/** By line, runs that are planned already and not yet in the state. */
export type Ahead = Map<string, number>;

/** Of a run that nothing has happened to. */
const untouched = {
  startedAt: null,
  finishedAt: null,
  exitCode: null,
  reason: null,
  agent: null,
  lateAt: null,
  notBefore: null,
  cancelReason: null,
  attempts: [],
} as const;

/** Says what new runs of a job are like, and what they do to others. Changes nothing by itself. */
export class RunPlanner {
  readonly #context: TenureContext;
  readonly #state: WorkState;
  /** The agents on which a job that runs on every agent could run now. */
  targetsOf: (definition: Job) => readonly string[] = () => [];

  /** Whether an agent is there, or may come back by itself. */
  isAwaited: (agent: string) => boolean = () => true;

  constructor(context: TenureContext, state: WorkState) {
    this.#context = context;
    this.#state = state;
  }

  /** What one more order of a job changes: its run, or one for each agent, and runs that overlap with it. */
  plan(job: JobRecord, request: RunRequest, ahead: Ahead = new Map()): Changes {
    const { definition } = job;
    const run = this.fresh(job, request);
    if (definition.agents === 'one') return this.#planOne(definition, run, ahead);
    const targets = this.targetsOf(definition);
    if (targets.length === 0) {
      return { newRuns: [this.skipped(run, 'no agent that it could run on is connected')] };
    }
    const batch = this.#context.newId();
    const planned = targets.map((target) => {
      const each = { ...run, id: this.#context.newId(), target, batch };
      return this.#planOne(definition, each, ahead);
    });
    return {
      newRuns: planned.flatMap(({ newRuns = [] }) => newRuns),
      runs: planned.flatMap(({ runs = [] }) => runs),
    };
  }

  /** The runs that follow the end of one, each with what it does to others of its job. */
  followersOf(cause: RunRecord): Changes[] {
    return this.#state.followers.of(cause.job, cause.state).flatMap((name) => {
      const job = this.#state.jobs.get(name);
      if (job === undefined) return [];
      const request: RunRequest = {
        ...{ scheduledFor: null, parameters: {}, orderedBy: 'after' },
        ...{ idempotencyKey: keyOfFollower(cause.id), instant: cause.spec.instant },
      };
      if (!job.definition.paused) return [this.plan(job, request)];
      return [{ newRuns: [this.skipped(this.fresh(job, request), 'the job is paused')] }];
    });
  }

  /** A run that is not yet anywhere but here. */
  fresh({ definition }: JobRecord, request: RunRequest): RunRecord {
    const moment = momentOf(this.#context);
    const { scheduledFor, idempotencyKey, orderedBy, instant = scheduledFor } = request;
    // Written out: made of parts it would cost several times as much, and there may be thousands a second.
    return {
      id: this.#context.newId(),
      job: definition.name,
      state: 'queued',
      scheduledFor,
      createdAt: moment.now,
      startedAt: null,
      finishedAt: null,
      exitCode: null,
      reason: null,
      agent: null,
      lateAt: null,
      parameters: parametersOf(definition, request),
      spec: specOf(definition, instant),
      idempotencyKey,
      retryOf: null,
      target: null,
      batch: null,
      orderedBy,
      notBefore: null,
      cancelReason: null,
      term: moment.term,
      attempts: [],
    };
  }

  /** The same once more, for somebody who asks for it. It goes where the first one went. */
  again(old: RunRecord, request: Pick<RunRequest, 'idempotencyKey' | 'orderedBy'>): RunRecord {
    const { now, term } = momentOf(this.#context);
    const run: RunRecord = {
      ...old,
      ...request,
      id: this.#context.newId(),
      state: 'queued',
      scheduledFor: null,
      createdAt: now,
      ...untouched,
      retryOf: old.id,
      batch: null,
      term,
    };
    const { target } = run;
    if (target === null || this.isAwaited(target)) return run;
    return this.skipped(run, `agent ${target}, for which it is, is lost or was removed`);
  }

  /** The same run, not to be carried out. */
  skipped(run: RunRecord, reason: string): RunRecord {
    return { ...run, state: 'skipped', reason, finishedAt: run.createdAt };
  }

  #planOne(definition: Job, run: RunRecord, ahead: Ahead): Changes {
    const line = lineOf(run);
    const planned = ahead.get(line) ?? 0;
    const decision = decideOverlap(definition, this.#state.countOfLine(line) + planned);
    if (decision.type === 'skip') return { newRuns: [this.skipped(run, decision.reason)] };
    ahead.set(line, planned + 1);
    if (decision.type === 'queue') return { newRuns: [run] };
    const replaced = this.#state
      .openOfLine(line)
      .slice(0, decision.count)
      .filter(({ id, state }) => !isOver(state) && this.#state.committedRun(id) !== null)
      .map((each) => cancelRun(each, decision.reason, momentOf(this.#context)));
    return { newRuns: [run], runs: replaced };
  }
}

const specs = new WeakMap<Job, RunSpec>();

/** What of a definition counts for a run. Runs that are told no instant share one. */
function specOf(definition: Job, instant: number | null): RunSpec {
  const known = instant === null ? specs.get(definition) : undefined;
  if (known !== undefined) return known;
  const spec: RunSpec = {
    ...actionOf(definition),
    manner: mannerOf(definition),
    env: definition.env,
    secrets: definition.secrets,
    selector: definition.selector,
    delivery: definition.delivery,
    retries: definition.retries,
    onAgentLost: definition.onAgentLost,
    lateMs: definition.lateMs,
    timeoutMs: definition.timeoutMs,
    priority: definition.priority,
    limit: limitOf(definition),
    instant,
  };
  if (instant === null) specs.set(definition, spec);
  return spec;
}

/** What was given, checked and completed. */
function parametersOf({ parameters }: Job, request: RunRequest): Record<string, string> {
  const resolved = resolveParameters(parameters, request.parameters);
  if ('parameters' in resolved) return resolved.parameters;
  const { wrong } = resolved;
  const summary = wrong.map(({ field, expected }) => `${field}: expected ${expected}`);
  throw new Refusal('invalid', summary.join('; '), wrong);
}
