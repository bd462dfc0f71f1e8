import type { Term } from '@understudy/shared/kernel/term';
import type { StartOrder } from '@understudy/shared/protocol/agent';
import { type AttemptKey, attemptId, type Outcome } from '../attempt/attempt.ts';
import { type Contact, isolationOf } from '../attempt/isolation.ts';
import type { Ended, Running } from '../executor/execute.ts';
import { perform, type Workshop } from '../executor/perform.ts';
import type { DataFolder } from '../spool/folder.ts';
import { logPath, removeLog } from '../spool/log-file.ts';
import type { Ledger } from './ledger.ts';

export interface RunnerOptions {
  readonly ledger: Ledger;
  readonly folder: DataFolder;
  readonly workshop: Workshop;
  readonly nowMs: () => number;
  /** Something about an attempt has yet to be reported. */
  readonly onNews: () => void;
  /** An attempt has started. */
  readonly onStarted: () => void;
  /** A fault that this worker can't go on with, for instance a disk that takes no journal. */
  readonly onFault: (error: unknown) => void;
}

interface UnderWay {
  readonly order: StartOrder;
  readonly running: Running;
  readonly secrets: readonly Buffer[];
}

type Ending = { readonly outcome: 'cancelled' | 'lost'; readonly reason: string };

/** Runs attempts and writes down what becomes of them. */
export class Runner {
  readonly #options: RunnerOptions;
  readonly #running = new Map<string, UnderWay>();
  /** Attempts that are to end, from before their process is there on. */
  readonly #ending = new Map<string, Ending>();
  readonly #unwanted = new Set<string>();
  #idle: (() => void)[] = [];

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** How much output of a running attempt there is; 0 for others. */
  written(id: string): number {
    return this.#running.get(id)?.running.written() ?? 0;
  }

  /** The secrets of a running attempt; of one that is over nothing follows any more. */
  secrets(id: string): readonly Buffer[] {
    return this.#running.get(id)?.secrets ?? [];
  }

  /** Whether the controller has said that it does not want to hear of this attempt. */
  isUnwanted(id: string): boolean {
    return this.#unwanted.has(id);
  }

  /** Starts an attempt: into the journal first, then the process. */
  start(order: StartOrder): void {
    this.#start(order).catch(this.#options.onFault);
  }

  /** Ends an attempt that is open; nothing happens to one that is over. */
  end(key: AttemptKey, ending: Ending): void {
    const id = attemptId(key);
    const attempt = this.#options.ledger.get(id);
    if (attempt === undefined || attempt.end !== null) return;
    this.#ending.set(id, ending);
    this.#running.get(id)?.running.end(ending);
  }

  /** Notes an attempt that was cancelled before its order came: it is over, and will never start. */
  async endUnstarted(key: AttemptKey, term: Term, reason: string): Promise<void> {
    await this.#options.ledger.begin(key, term);
    await this.#ended(key, notStarted('cancelled', reason));
  }

  /**
   * Cut off from the controllers: ends what must run at most once before they may call it lost. To be asked
   * again and again.
   */
  isolate(contact: Contact): void {
    const nowMs = this.#options.nowMs();
    for (const { order, running } of this.#running.values()) {
      if (order.delivery !== 'at-most-once') continue;
      const isolation = isolationOf(contact, order.graceMs);
      if (isolation === null || nowMs < isolation.endAtMs) continue;
      running.end(cutOff, Math.max(0, isolation.killAtMs - nowMs));
    }
  }

  /** The longest grace of what runs. */
  get graceMs(): number {
    return Math.max(0, ...[...this.#running.values()].map(({ order }) => order.graceMs));
  }

  /** Ends all attempts. */
  endAll(ending: Ending): void {
    for (const attempt of this.#options.ledger.unsettled()) this.end(attempt, ending);
  }

  /** Ends an attempt whose run is over for the controller, and forgets what there was to report. */
  async drop(key: AttemptKey): Promise<void> {
    const { ledger } = this.#options;
    const attempt = ledger.get(attemptId(key));
    if (attempt === undefined || attempt.phase === 'acknowledged') return;
    if (attempt.end !== null) return await this.#forget(key);
    this.#unwanted.add(attemptId(key));
    this.end(key, { outcome: 'lost', reason: 'the controller does not want it any more' });
  }

  /** Resolves when no attempt is open and all ends are on disk. */
  whenIdle(): Promise<void> {
    if (this.#options.ledger.idle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  async #start(order: StartOrder): Promise<void> {
    const { ledger, folder, workshop, nowMs, onStarted, onFault } = this.#options;
    const id = attemptId(order);
    await ledger.begin(order, order.term);
    const early = this.#ending.get(id);
    if (early !== undefined)
      return await this.#ended(order, notStarted(early.outcome, early.reason));

    const executed = await perform(order, { id, log: logPath(folder.logs, id) }, workshop);
    if (executed.type === 'not-started') {
      return await this.#ended(order, notStarted('not-started', executed.reason));
    }
    const { running } = executed;
    const secrets = Object.values(order.secrets ?? {}).map((value) => Buffer.from(value));
    this.#running.set(id, { order, running, secrets });
    const ending = this.#ending.get(id);
    if (ending !== undefined) running.end(ending);
    // What is noted of its start need not be on its way to the disk for its end to be looked at.
    ledger
      .record(order, { type: 'started', start: { pid: running.pid, atMs: nowMs() } })
      .catch(onFault);
    onStarted();
    await this.#ended(order, await running.ended);
  }

  async #ended(key: AttemptKey, ended: Ended): Promise<void> {
    const { ledger, nowMs, onNews } = this.#options;
    const id = attemptId(key);
    // What is stored already can't be taken back, should the run have shortened its own output.
    const logBytes = Math.max(ended.logBytes, ledger.get(id)?.logAcknowledged ?? 0);
    this.#running.delete(id);
    this.#ending.delete(id);
    await ledger.record(key, { type: 'ended', end: { ...ended, logBytes, atMs: nowMs() } });
    if (this.#unwanted.delete(id)) await this.#forget(key);
    onNews();
    if (!ledger.idle) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  async #forget(key: AttemptKey): Promise<void> {
    await this.#options.ledger.record(key, { type: 'end-acknowledged' });
    await removeLog(logPath(this.#options.folder.logs, attemptId(key)));
  }
}

const cutOff: Ending = {
  outcome: 'lost',
  reason: 'cut off from the controllers; ended before they may call it lost',
};

function notStarted(outcome: Outcome, reason: string): Ended {
  return { outcome, exitCode: null, signal: null, reason, logBytes: 0 };
}
