import type { RunRecord } from '../dispatch/run.ts';
import { isOver } from '../dispatch/run.ts';
import { cancelRun } from '../dispatch/transitions.ts';
import { type By, NOBODY, naming } from '../security/audit.ts';
import type { Changes } from '../store/changes.ts';
import type { Reader } from '../store/reader.ts';
import type { JobRecord } from '../store/records.ts';
import { committed, momentOf, requireStore, type TenureContext } from './context.ts';
import type { RunPlanner, RunRequest } from './planner.ts';
import { Refusal } from './refusal.ts';
import type { WorkState } from './state.ts';

export interface Submitted {
  /** The run, or the first of those that were made for one order. */
  readonly run: RunRecord;
  readonly runs: readonly RunRecord[];
  /** False: the run of an earlier request with the same key. */
  readonly isNew: boolean;
}

/** Makes, cancels and repeats runs. */
export class RunService {
  readonly #context: TenureContext;
  readonly #state: WorkState;
  readonly #reader: Reader;
  readonly #planner: RunPlanner;
  /** Requests with a key whose run is not committed yet, by job and key. */
  readonly #making = new Map<string, Promise<Submitted>>();
  /** Called when a run that an agent has is to be cancelled, once that is committed. */
  onCancel: (run: RunRecord) => void = () => undefined;

  constructor(context: TenureContext, state: WorkState, reader: Reader, planner: RunPlanner) {
    this.#context = context;
    this.#state = state;
    this.#reader = reader;
    this.#planner = planner;
  }

  /** Makes a run of a job now, or one for each agent. The answer is committed. */
  async submit(job: JobRecord, request: RunRequest, by: By = NOBODY): Promise<Submitted> {
    requireStore(this.#context);
    const { name, overlap, agents } = job.definition;
    return await this.#once(name, request.idempotencyKey, async () => {
      // Where another run would suffer, the key is looked up before; else the database says it on insert.
      const { idempotencyKey: key } = request;
      const isHarmless = agents === 'one' && (overlap === 'allow' || overlap === 'queue');
      const earlier = key === null || isHarmless ? null : await this.#reader.runByKey(name, key);
      if (earlier !== null) return await this.#earlier(earlier);
      return await this.#create(this.#planner.plan(job, request), by);
    });
  }

  /** Puts planned changes into effect and, once they are committed, tells the agents. */
  async carryOut(changes: Changes): Promise<void> {
    await this.#state.apply(changes);
    for (const run of changes.runs ?? []) if (!isOver(run.state)) this.onCancel(run);
  }

  /** Asks to cancel a run. Gives the run as it is then; one that is over stays as it is. */
  async cancel(id: string, caller: string, by: By = NOBODY): Promise<RunRecord> {
    requireStore(this.#context);
    const run = this.#state.open(id);
    if (run === null) return await this.get(id);
    const moment = momentOf(this.#context);
    const cancelled = cancelRun(run, 'cancelled by request', moment);
    const message = `${caller} asked to cancel it`;
    const asked = { at: moment.now, kind: 'run-cancel-asked', subject: id, message } as const;
    const events = [{ ...asked, facts: { job: run.job, by: caller } }];
    const changes = cancelled === run ? {} : { runs: [cancelled], events, ...by };
    await committed(this.#context, this.carryOut(changes));
    return await this.get(id);
  }

  /**
   * Makes a new run that repeats one that is over; what is over stays as it is. It has no instant of its
   * own, but its command is told the instant of the first.
   */
  async retry(
    id: string,
    request: Pick<RunRequest, 'idempotencyKey' | 'orderedBy'>,
    by: By = NOBODY,
  ): Promise<Submitted> {
    requireStore(this.#context);
    const old = await this.get(id);
    if (!isOver(old.state)) throw new Refusal('run-not-over', `run ${id} is ${old.state}`);
    const run = this.#planner.again(old, request);
    const { idempotencyKey } = request;
    return await this.#once(run.job, idempotencyKey, () => this.#create({ newRuns: [run] }, by));
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
      return await this.#earlier(run.id);
    }
    const made = make();
    const forget = () => this.#making.delete(name);
    this.#making.set(name, made);
    made.then(forget, forget);
    return await committed(this.#context, made);
  }

  /** Resolves once the runs are committed, or it turns out that the database has earlier ones. */
  async #create(changes: Changes, by: By): Promise<Submitted> {
    const { newRuns = [] } = changes;
    const [run] = newRuns;
    if (run === undefined) throw new Error('an order makes at least one run');
    const made = naming(
      by,
      newRuns.map(({ id }) => id),
    );
    const { existing } = await this.#state.apply({ ...changes, ...made });
    for (const each of changes.runs ?? []) if (!isOver(each.state)) this.onCancel(each);
    const earlier = existing.get(run.id);
    if (earlier !== undefined) return await this.#earlier(earlier);
    this.#context.failpoints.pass('after-commit-before-reply');
    return { run: this.#state.committedRun(run.id) ?? run, runs: newRuns, isNew: true };
  }

  async #earlier(id: string): Promise<Submitted> {
    const run = await this.get(id);
    const runs = run.batch === null ? [run] : await this.#reader.runsOfBatch(run.batch);
    return { run, runs, isNew: false };
  }
}
