import { setImmediate as turn } from 'node:timers/promises';
import { type BulkItem, bulkItemSchema, type Job } from '@understudy/shared/protocol/api';
import type { RunRecord } from '../dispatch/run.ts';
import { type By, naming } from '../security/audit.ts';
import type { JobRecord } from '../store/records.ts';
import type { Written } from '../store/write-batch.ts';
import { committed, requireStore, type TenureContext } from './context.ts';
import type { JobService } from './jobs.ts';
import type { RunPlanner, RunRequest } from './planner.ts';
import { Refusal, type RefusalCode } from './refusal.ts';
import type { RunService } from './runs.ts';
import type { WorkState } from './state.ts';

export interface BulkOrder {
  readonly orderedBy: string;
  /** On whose behalf runs of a job are made. */
  readonly by: (job: string) => By;
}

export interface BulkParts {
  readonly context: TenureContext;
  readonly state: WorkState;
  readonly jobs: JobService;
  readonly runs: RunService;
  readonly planner: RunPlanner;
}

/** So many are decided in one go; then others get their turn. */
const SLICE = 1_000;
/** Ten thousand runs are more to commit than one. */
const COMMIT_WAIT_MS = 15_000;

/**
 * Makes many runs for one request. Each item is accepted or refused by itself, and the answer is given when
 * all that were accepted are committed, in as few transactions as fit. Who hears no answer sends the same
 * again: items with a key are made once.
 */
export class BulkService {
  readonly #parts: BulkParts;

  constructor(parts: BulkParts) {
    this.#parts = parts;
  }

  /** What became of each item, in their order. */
  async submit(items: readonly unknown[], order: BulkOrder): Promise<BulkItem[]> {
    const { context } = this.#parts;
    requireStore(context);
    const outcomes: Promise<BulkItem[]>[] = [];
    for (let from = 0; from < items.length; from += SLICE) {
      if (from > 0) await turn();
      const outcome = this.#decide(items.slice(from, from + SLICE), order);
      // One that fails while others are still decided is looked at with them.
      outcome.catch(() => undefined);
      outcomes.push(outcome);
    }
    const all = await committed(context, Promise.all(outcomes), COMMIT_WAIT_MS);
    context.failpoints.pass('after-commit-before-reply');
    return all.flat();
  }

  async #decide(items: readonly unknown[], order: BulkOrder): Promise<BulkItem[]> {
    const newRuns: RunRecord[] = [];
    const answers = items.map((item) => this.#take(item, order, newRuns));
    const applied = this.#apply(newRuns, order);
    const [{ existing }, ...outcomes] = await Promise.all([applied, ...answers]);
    return outcomes.map((outcome) =>
      typeof outcome === 'string' ? made(outcome, existing) : outcome,
    );
  }

  /** Gives the id of the run to be made, or how it went. */
  #take(
    item: unknown,
    order: BulkOrder,
    newRuns: RunRecord[],
  ): string | BulkItem | Promise<BulkItem> {
    try {
      const parsed = bulkItemSchema.safeParse(item);
      if (!parsed.success) return invalid(parsed.error.issues);
      const { job: name, parameters, idempotencyKey } = parsed.data;
      const job = this.#parts.jobs.get(name);
      const { orderedBy } = order;
      const request = { scheduledFor: null, parameters, idempotencyKey, orderedBy };
      if (!isHarmless(job.definition)) return this.#one(job, request, order.by(name));
      const run = this.#parts.planner.fresh(job, request);
      newRuns.push(run);
      return run.id;
    } catch (error) {
      return refused(error);
    }
  }

  /** Where one run makes another one skip or end, each is decided after the one before. */
  async #one(job: JobRecord, request: RunRequest, by: By): Promise<BulkItem> {
    try {
      const { run, isNew } = await this.#parts.runs.submit(job, request, by);
      return { outcome: isNew ? 'created' : 'existing', id: run.id };
    } catch (error) {
      return refused(error);
    }
  }

  async #apply(
    newRuns: readonly RunRecord[],
    { by }: BulkOrder,
  ): Promise<Pick<Written, 'existing'>> {
    if (newRuns.length === 0) return { existing: new Map() };
    return await this.#parts.state.apply({ newRuns, ...byJob(newRuns, by) });
  }
}

/** One entry of the audit trail for each job, with the runs that are made. */
function byJob(runs: readonly RunRecord[], by: BulkOrder['by']): By {
  const ids = new Map<string, string[]>();
  for (const { job, id } of runs) {
    const known = ids.get(job);
    if (known === undefined) ids.set(job, [id]);
    else known.push(id);
  }
  return { audits: [...ids].flatMap(([job, made]) => naming(by(job), made).audits ?? []) };
}

/** One order is one run, and no other run suffers from it. */
function isHarmless({ overlap, agents }: Job): boolean {
  return agents === 'one' && (overlap === 'allow' || overlap === 'queue');
}

function made(id: string, existing: ReadonlyMap<string, string>): BulkItem {
  const earlier = existing.get(id);
  return earlier === undefined ? { outcome: 'created', id } : { outcome: 'existing', id: earlier };
}

/** A refusal is the item's; anything else is the whole request's. */
function refused(error: unknown): BulkItem {
  if (!(error instanceof Refusal)) throw error;
  return refusal(error.code, error.message);
}

function refusal(code: RefusalCode, message: string): BulkItem {
  return { outcome: 'refused', error: { code, message } };
}

const MOST_TOLD = 3;
const MOST_LETTERS = 200;

function invalid(issues: readonly { path: readonly PropertyKey[]; message: string }[]): BulkItem {
  const told = issues
    .slice(0, MOST_TOLD)
    .map(({ path, message }) => `${path.map(String).join('.') || 'item'}: ${message}`);
  return refusal('invalid', told.join('; ').slice(0, MOST_LETTERS));
}
