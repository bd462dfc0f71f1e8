import type { Schedule } from '@understudy/shared/protocol/schedule';
import type { RunRecord } from '../dispatch/run.ts';
import type { Kept } from '../history/policy.ts';
import { instantsOf } from '../scheduler/instants.ts';
import { type By, NOBODY, naming } from '../security/audit.ts';
import type { Reader } from '../store/reader.ts';
import type { JobRecord } from '../store/records.ts';
import { committed, momentOf, requireStore, type TenureContext } from './context.ts';
import { refuseForgotten, refuseUnkept } from './forgotten.ts';
import type { Ahead, RunPlanner, RunRequest } from './planner.ts';
import { Refusal } from './refusal.ts';
import type { WorkState } from './state.ts';

export interface BackfillParts {
  readonly context: TenureContext;
  readonly state: WorkState;
  readonly planner: RunPlanner;
  readonly reader: Reader;
  /** How much of what is over is kept, of jobs that say nothing themselves. */
  readonly kept: Kept;
}

export interface BackfillRange {
  readonly from: number;
  /** The first instant that is not meant any more. */
  readonly to: number;
  readonly orderedBy: string;
}

export interface Backfilled {
  readonly created: readonly RunRecord[];
  /** Instants for which there were runs already. */
  readonly existing: number;
}

/** So many instants of one request. */
const MOST = 1_000;

/**
 * Makes the runs of a schedule's past instants that were not run: because they were skipped, or because the
 * schedule did not exist yet. Asking again makes no run twice; what may have been run and removed since is
 * refused.
 */
export class BackfillService {
  readonly #parts: BackfillParts;
  /** Called before anything is looked at: what has come up until now is decided as usual. */
  onBegin: (job: string) => void = () => undefined;

  constructor(parts: BackfillParts) {
    this.#parts = parts;
  }

  async backfill(job: JobRecord, range: BackfillRange, by: By = NOBODY): Promise<Backfilled> {
    const { context, reader, state, kept: configured } = this.#parts;
    requireStore(context);
    const { name, schedule } = job.definition;
    const instants = instantsWithin(schedule, range, momentOf(context).now);
    this.onBegin(name);
    const decided = await reader.decidedInstants(name, range.from, range.to);
    const wanted = instants.filter((at) => decided.get(at) !== true);
    const { pair } = context;
    await refuseForgotten(wanted, { pair, job: job.definition, configured, reader });
    const changes = this.#plan(
      job,
      wanted.map((at) => requestFor(at, decided.has(at), range)),
    );
    refuseUnkept(changes.length, { job: job.definition, configured });
    const ids = changes.map(({ id }) => id);
    const commit = state.apply({ newRuns: changes, ...naming(by, ids) });
    const { existing } = await committed(context, commit);
    const created = changes.filter(({ id }) => !existing.has(id));
    const instantsMade = new Set(created.map(({ spec }) => spec.instant)).size;
    return { created, existing: instants.length - instantsMade };
  }

  /** They wait for each other rather than to be skipped or to end what runs. */
  #plan(job: JobRecord, requests: readonly RunRequest[]): RunRecord[] {
    const overlap = job.definition.overlap === 'allow' ? 'allow' : 'queue';
    const patient = { ...job, definition: { ...job.definition, overlap } } as const;
    const ahead: Ahead = new Map();
    return requests.flatMap((request) => {
      const { newRuns = [] } = this.#parts.planner.plan(patient, request, ahead);
      return newRuns;
    });
  }
}

/** An instant that was skipped has its run already, which stays as it is: another one is made beside it. */
function requestFor(at: number, wasSkipped: boolean, { orderedBy }: BackfillRange): RunRequest {
  const fixed = { parameters: {}, orderedBy, instant: at };
  return wasSkipped
    ? { ...fixed, scheduledFor: null, idempotencyKey: keyOfBackfill(at) }
    : { ...fixed, scheduledFor: at, idempotencyKey: null };
}

/** Keys of users have no space. */
function keyOfBackfill(at: number): string {
  return `backfill ${new Date(at).toISOString()}`;
}

function instantsWithin(schedule: Schedule | null, range: BackfillRange, now: number): number[] {
  const { from, to } = range;
  if (schedule === null) throw new Refusal('invalid', 'the job has no schedule');
  if (from >= to) throw invalid('to', 'an instant after from');
  if (to > now)
    throw invalid('to', 'an instant that is over; what is to come is run by the schedule');
  const walk = instantsOf(schedule)(from - 1);
  const found: number[] = [];
  for (let at = walk(); at !== null && at < to; at = walk()) {
    found.push(at);
    if (found.length > MOST) throw invalid('to', `a range with no more than ${MOST} instants`);
  }
  return found;
}

function invalid(field: string, expected: string): Refusal {
  return new Refusal('invalid', `${field}: expected ${expected}`, [{ field, expected }]);
}
