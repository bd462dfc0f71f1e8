import type { RunRecord } from '@understudy/controller/dispatch/run';
import type { Term } from '@understudy/shared/kernel/term';
import type { Process } from '../kernel/process.ts';
import type { StoreLink } from '../store/link.ts';
import type { Loaded, Writes } from '../store/repository.ts';
import type { Begun } from '../store/server.ts';

export interface CommitterOptions {
  readonly process: Process;
  readonly link: StoreLink;
  readonly term: Term;
  /** Goes on as soon as it may be acted for the term, at once if it may be now. */
  readonly whenMayAct: (run: () => void) => void;
  /** Between the last look at the tenure and the act. */
  readonly actLagMs: () => number;
  readonly onCommitted: (writes: Writes) => void;
  readonly onDeposed: () => void;
}

interface Change {
  readonly newRuns?: readonly RunRecord[];
  readonly runs?: readonly RunRecord[];
  readonly journals?: Writes['journals'];
  readonly done?: () => void;
}

const GATHER_MS = 2;
const TRANSACTION_LIMIT_MS = 4_000;
const RETRY_FIRST_MS = 100;
const RETRY_MAX_MS = 1_000;

/** Group commit as the controller does it: one fenced transaction at a time, again until it is committed. */
export class SimCommitter {
  readonly #options: CommitterOptions;
  #queue: Change[] = [];
  #isBusy = false;
  /** The store did not take the last thing that was tried. */
  isAway = false;

  constructor(options: CommitterOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return !this.#isBusy;
  }

  commit(change: Change): void {
    this.#queue.push(change);
    if (this.#isBusy) return;
    this.#isBusy = true;
    this.#later(GATHER_MS, () => this.#next());
  }

  /** Reads what is open, behind the fence. */
  load(done: (loaded: Loaded) => void): void {
    const attempt = (retryMs: number): void =>
      this.#transact(nothing, true, {
        done,
        failed: () => this.#later(retryMs, () => attempt(retryMs)),
      });
    attempt(50);
  }

  #next(): void {
    const taken = this.#queue;
    this.#queue = [];
    if (taken.length === 0) {
      this.#isBusy = false;
      return;
    }
    const writes = merge(taken);
    this.#persist(writes, RETRY_FIRST_MS, () => {
      this.#options.onCommitted(writes);
      for (const { done } of taken) done?.();
      this.#next();
    });
  }

  #persist(writes: Writes, retryMs: number, done: () => void): void {
    this.#transact(writes, false, {
      done: () => {
        this.isAway = false;
        done();
      },
      failed: () => {
        this.isAway = true;
        const next = Math.min(RETRY_MAX_MS, 2 * retryMs);
        this.#later(retryMs, () => this.#persist(writes, next, done));
      },
    });
  }

  #transact(
    writes: Writes,
    loads: boolean,
    { done, failed }: { done: (loaded: Loaded) => void; failed: () => void },
  ): void {
    const { process, link, term, whenMayAct, actLagMs, onDeposed } = this.#options;
    let isOver = false;
    let begun: Begun = 'failed';
    const fail = () => {
      if (isOver) return;
      isOver = true;
      if (typeof begun !== 'string') {
        const { writer } = begun;
        link.tell((server) => server.abort(writer));
      }
      failed();
    };
    let deadlineMs = process.host.monotonicMs() + TRANSACTION_LIMIT_MS;
    const watch = () => {
      if (isOver) return;
      if (process.host.monotonicMs() >= deadlineMs) fail();
      else process.timer(deadlineMs, watch);
    };
    const commit = (open: Exclude<Begun, string>) => {
      link.request<boolean>(
        (server, reply) => server.commit(open.writer, term, writes, reply),
        (committed) => {
          if (isOver) return;
          if (!committed) return fail();
          isOver = true;
          done(open.loaded);
        },
      );
    };
    const isSent = link.request<Begun>(
      (server, reply) => server.begin(term, loads, reply),
      (answer) => {
        begun = answer;
        if (answer === 'fenced') {
          isOver = true;
          return onDeposed();
        }
        if (answer === 'failed') return fail();
        // Its client has given it up: the connection is closed, and the server ends it.
        if (isOver) return link.tell((server) => server.abort(answer.writer));
        // Waiting for a renewal is not the store's fault, and does not count against its time.
        deadlineMs = Number.MAX_SAFE_INTEGER;
        whenMayAct(() => {
          deadlineMs = process.host.monotonicMs() + TRANSACTION_LIMIT_MS;
          process.timer(deadlineMs, watch);
          process.host.engine.after(actLagMs(), () => commit(answer));
        });
      },
    );
    if (isSent) process.timer(deadlineMs, watch);
    else this.#later(1, fail);
  }

  #later(ms: number, run: () => void): void {
    const { process } = this.#options;
    process.timer(process.host.monotonicMs() + ms, run);
  }
}

const nothing: Writes = { newRuns: [], runs: [], journals: [] };

function merge(changes: readonly Change[]): Writes {
  const [only] = changes;
  if (changes.length === 1 && only !== undefined) {
    return { newRuns: only.newRuns ?? [], runs: only.runs ?? [], journals: only.journals ?? [] };
  }
  const runs = new Map<string, RunRecord>();
  for (const each of changes) for (const run of each.runs ?? []) runs.set(run.id, run);
  return {
    newRuns: changes.flatMap((each) => each.newRuns ?? []),
    runs: [...runs.values()],
    journals: changes.flatMap((each) => each.journals ?? []),
  };
}
