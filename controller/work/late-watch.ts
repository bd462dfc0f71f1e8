import { formatDurationMs } from '@understudy/shared/kernel/duration';
import { Heap } from '../dispatch/heap.ts';
import type { RunRecord } from '../dispatch/run.ts';
import { momentOf, type TenureContext } from './context.ts';
import type { WorkState } from './state.ts';

interface Watched {
  /** When it is late, milliseconds since 1970. */
  readonly seq: number;
  readonly run: string;
}

const LOOK_EVERY_MS = 1_000;
/** So many are said to be late in one go. */
const AT_ONCE = 200;

/**
 * Notices runs that have not started so long after they were due. Each is noticed once: that it was lies with
 * it in the database. Costs nothing for runs of jobs that don't ask for it.
 */
export class LateWatch {
  readonly #context: TenureContext;
  readonly #state: WorkState;
  readonly #watched = new Heap<Watched>();
  #timer: NodeJS.Timeout | undefined;

  constructor(context: TenureContext, state: WorkState) {
    this.#context = context;
    this.#state = state;
  }

  note(run: RunRecord): void {
    const { lateMs } = run.spec;
    if (lateMs === null || run.lateAt !== null || run.startedAt !== null) return;
    this.#watched.push({ seq: dueAt(run) + lateMs, run: run.id });
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), LOOK_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  look(): void {
    const { committer, guard } = this.#context;
    if (committer.isAway || !guard.mayAct()) return;
    const moment = momentOf(this.#context);
    for (let left = AT_ONCE; left > 0; left -= 1) {
      const next = this.#watched.pop();
      if (next === null) return;
      if (next.seq > moment.now) {
        this.#watched.push(next);
        return;
      }
      const run = this.#state.open(next.run);
      if (run === null || run.startedAt !== null || run.lateAt !== null) continue;
      const due = dueAt(run);
      const message = `run of ${run.job} has not started ${formatDurationMs(run.spec.lateMs ?? 0)} after it was due`;
      const facts = { job: run.job, state: run.state, dueAt: new Date(due).toISOString() };
      const event = { at: moment.now, kind: 'run-late', subject: run.id, message, facts } as const;
      const late = { ...run, lateAt: moment.now, term: moment.term };
      void this.#state.apply({ runs: [late], events: [event] });
    }
  }
}

function dueAt(run: RunRecord): number {
  return run.scheduledFor ?? run.createdAt;
}
