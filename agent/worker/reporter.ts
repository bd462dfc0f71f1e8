import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs } from '@understudy/shared/kernel/backoff';
import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import { type ReportsWire, reportsAnswerSchema } from '@understudy/shared/protocol/agent';
import { messageOf } from '@understudy/shared/runtime/errors';
import { attemptId, isSettledBy } from '../attempt/attempt.ts';
import { startAloneAfterMs } from '../attempt/due.ts';
import { logPath, removeLog } from '../spool/log-file.ts';
import { type BatchSource, type Item, nextBatch } from './batch.ts';
import { describeReply, isStoreAway, type Reply } from './call.ts';

export interface ReporterOptions extends BatchSource {
  readonly agent: string;
  readonly incarnation: string;
  readonly random: () => number;
  /** A worker with nothing to report says so this often: silence means that it can't be reached. */
  readonly signOfLifeMs: () => number;
  readonly onDropped: (report: unknown, reason: string) => void;
}

/** How the reports of one session reach its controller. */
export interface Channel {
  readonly signal: AbortSignal;
  post(body: ReportsWire): Promise<Reply>;
  /** The controller does not take our reports: the session is of no use. */
  fail(reason: string): void;
  heard(term: Term): Promise<void>;
}

/** How long output waits for more of it before it is sent. */
const logDelayMs = 50;
const retry = { firstMs: 100, factor: 2, maxMs: 2_000 } as const;
const failuresAllowed = 6;

/**
 * Sends what is due, one batch at a time and each only after the one before is answered, again until it
 * is acknowledged. What is not acknowledged stays on disk, and is due again in the next session.
 */
export class Reporter {
  readonly #options: ReporterOptions;
  #seq = 0;
  #turn = 0;
  #newsWaits = false;
  #news: () => void = () => undefined;
  #started: NodeJS.Timeout | null = null;

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Something new is due. */
  wake(): void {
    this.#newsWaits = true;
    this.#news();
  }

  /** An attempt has started, which is not due at once. */
  wakeForStart(): void {
    this.#started ??= setTimeout(() => {
      this.#started = null;
      this.wake();
    }, startAloneAfterMs);
  }

  /** How many reports of ends wait for a controller. */
  unreported(): number {
    const { ledger } = this.#options;
    const ends = ledger.unsettled().filter(({ end }) => end !== null);
    return ends.length + ledger.refusals().length;
  }

  /** Reports over one session, until its signal. */
  async run(channel: Channel): Promise<void> {
    let failures = 0;
    let waits = 0;
    let limit = Number.POSITIVE_INFINITY;
    let lastSentAt = performance.now();
    while (!channel.signal.aborted) {
      this.#newsWaits = false;
      const items = (await nextBatch(this.#options, this.#turn)).slice(0, limit);
      if (items.length === 0 && performance.now() - lastSentAt < this.#options.signOfLifeMs()) {
        await this.#nextNews(channel.signal);
        continue;
      }
      const problem = await this.#send(items, channel);
      lastSentAt = performance.now();
      if (channel.signal.aborted) return;
      if (problem === null) {
        this.#turn += 1;
        [failures, waits, limit] = [0, 0, Number.POSITIVE_INFINITY];
      } else if (problem.type === 'invalid' && items.length > 1) {
        // One of them is the cause: the rest must not wait for it.
        limit = Math.ceil(items.length / 2);
      } else if (problem.type === 'invalid') {
        await this.#drop(items, problem.reason);
        limit = Number.POSITIVE_INFINITY;
      } else if (problem.type === 'later') {
        // It is the right one and can't store anything for now: we stay, and keep what we have.
        failures = 0;
        const pauseMs = backoffMs(retry, waits, this.#options.random());
        await sleep(Math.min(pauseMs, this.#options.signOfLifeMs()), channel.signal);
        waits += 1;
      } else {
        failures += 1;
        if (problem.type === 'final' || failures >= failuresAllowed) {
          return channel.fail(`reports are not taken: ${problem.reason}`);
        }
        await sleep(backoffMs(retry, failures - 1, this.#options.random()), channel.signal);
      }
    }
  }

  async #send(items: readonly Item[], channel: Channel): Promise<Problem | null> {
    const { agent, incarnation, ledger } = this.#options;
    const first = this.#seq + 1;
    this.#seq += items.length;
    const reports = items.map(({ report }, index) => ({ seq: first + index, report }));
    const highestTerm = formatTerm(ledger.highest);
    let reply: Reply;
    try {
      reply = await channel.post({ agent, incarnation, highestTerm, reports });
    } catch (error) {
      return { type: 'again', reason: messageOf(error) };
    }
    if (reply.status !== 200) return problemOf(reply);
    const answer = reportsAnswerSchema.safeParse(reply.body);
    if (!answer.success) return { type: 'again', reason: 'answered without an acknowledgement' };
    await channel.heard(answer.data.term);
    if (items.length === 0) return null;
    const taken = answer.data.acknowledged - first + 1;
    await this.#acknowledge(items.slice(0, Math.max(0, taken)));
    return taken > 0 ? null : { type: 'again', reason: 'acknowledged none of them' };
  }

  async #acknowledge(items: readonly Item[]): Promise<void> {
    const { ledger, folder } = this.#options;
    const written: Promise<void>[] = [];
    for (const { acknowledged } of items) {
      if (acknowledged.type === 'refusal') {
        ledger.refusalAcknowledged(acknowledged.refused);
        continue;
      }
      const { key, event } = acknowledged;
      if (!isSettledBy(ledger.get(attemptId(key)), key)) continue;
      written.push(ledger.record(key, event));
      if (event.type === 'end-acknowledged') {
        written.push(removeLog(logPath(folder.logs, attemptId(key))));
      }
    }
    await Promise.all(written);
  }

  async #drop(items: readonly Item[], reason: string): Promise<void> {
    for (const { report } of items) this.#options.onDropped(report, reason);
    await this.#acknowledge(items);
  }

  #nextNews(signal: AbortSignal): Promise<void> {
    if (this.#newsWaits || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        this.#news = () => undefined;
        // What happens in the same moment travels together.
        setImmediate(resolve);
      };
      const { ledger, signOfLifeMs } = this.#options;
      const timer = setTimeout(done, ledger.open > 0 ? logDelayMs : signOfLifeMs());
      signal.addEventListener('abort', done, { once: true });
      this.#news = done;
    });
  }
}

type Problem =
  /** It may work later. */
  | { readonly type: 'again'; readonly reason: string }
  /** It will work once the store is back. */
  | { readonly type: 'later'; readonly reason: string }
  /** Not with this controller, or not in this session. */
  | { readonly type: 'final'; readonly reason: string }
  /** This batch will never be taken as it is. */
  | { readonly type: 'invalid'; readonly reason: string };

function problemOf(reply: Reply): Problem {
  const reason = describeReply(reply);
  if (isStoreAway(reply)) return { type: 'later', reason };
  if (reply.status === 400 || reply.status === 413) return { type: 'invalid', reason };
  if ([401, 403, 404, 409].includes(reply.status)) return { type: 'final', reason };
  return { type: 'again', reason };
}

async function sleep(ms: number, signal: AbortSignal): Promise<void> {
  await pause(ms, undefined, { signal }).catch(() => undefined);
}
