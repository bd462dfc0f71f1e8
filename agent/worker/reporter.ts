import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs } from '@understudy/shared/kernel/backoff';
import { formatTerm, type Term } from '@understudy/shared/kernel/term';
import { type ReportsWire, reportsAnswerSchema } from '@understudy/shared/protocol/agent';
import { messageOf } from '@understudy/shared/runtime/errors';
import { attemptId, isSettledBy } from '../attempt/attempt.ts';
import { startAloneAfterMs } from '../attempt/due.ts';
import { logPath, removeLog } from '../spool/log-file.ts';
import { type BatchSource, type Item, isMuchDue, nextBatch } from './batch.ts';
import { describeReply, isStoreAway, type Reply } from './call.ts';
import { News } from './news.ts';

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

/** So many ends need not wait for the batch that is under way: they travel beside it. */
const muchDue = 250;
/** How long they are gathered. */
const gatherMs = 2;

/**
 * Sends what is due, again until it is acknowledged. What is not acknowledged stays on disk, and is due again in the
 * next session. Of an attempt one batch at a time is under way; what is little waits until nothing else is.
 */
export class Reporter {
  readonly #options: ReporterOptions;
  readonly #news = new News();
  /** Attempts with reports in a batch that is being made or under way, by their names. */
  readonly #underWay = new Set<string>();
  #seq = 0;
  #turn = 0;
  /** Batches that are being made or under way. */
  #sending = 0;
  #isMaking = false;
  #lastSentAtMs = 0;
  /** Whether the last batch that was answered was taken. */
  #isTaken = true;
  #started: NodeJS.Timeout | null = null;
  /** What was acknowledged last, on its way to the disk. */
  #settling: Promise<unknown> = Promise.resolve();

  constructor(options: ReporterOptions) {
    this.#options = options;
  }

  /** Something new is due. */
  wake(): void {
    this.#news.tell();
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
    this.#lastSentAtMs = performance.now();
    this.#isTaken = true;
    await Promise.all([this.#reportAll(channel), this.#reportMuch(channel)]);
  }

  async #reportAll(channel: Channel): Promise<void> {
    const { signal } = channel;
    const tries = { ...firstTry };
    while (!signal.aborted) {
      const known = this.#news.count;
      const isAlone = this.#sending === 0;
      if ((isAlone || this.#isMuchLeft()) && (await this.#report(channel, tries))) continue;
      const { ledger, signOfLifeMs } = this.#options;
      await this.#news.since(known, ledger.open > 0 ? logDelayMs : signOfLifeMs(), signal);
      if (this.#sending > 0) await sleep(gatherMs, signal);
    }
  }

  /** Beside that: what is much. */
  async #reportMuch(channel: Channel): Promise<void> {
    const { signal } = channel;
    const tries = { ...firstTry };
    while (!signal.aborted) {
      const known = this.#news.count;
      if (this.#sending > 0 && this.#isMuchLeft()) {
        await this.#report(channel, tries);
        // What is little by now has waited for this.
        this.#news.tell();
      }
      await this.#news.since(known, this.#options.signOfLifeMs(), signal);
      await sleep(gatherMs, signal);
    }
  }

  /** Sends what there is. False: nothing is to be sent for now. */
  async #report(channel: Channel, tries: Tries): Promise<boolean> {
    const isAlone = this.#sending === 0;
    const taken: string[] = [];
    this.#sending += 1;
    try {
      const found = await this.#next(taken);
      const isSilent = performance.now() - this.#lastSentAtMs >= this.#options.signOfLifeMs();
      if (found.length === 0 && !(isAlone && isSilent)) return false;
      const items = found.slice(0, tries.limit);
      const problem = await this.#send(items, channel);
      this.#lastSentAtMs = performance.now();
      this.#isTaken = problem === null;
      if (problem === null) {
        this.#turn += 1;
        Object.assign(tries, firstTry);
      } else if (!channel.signal.aborted) {
        await this.#cope(problem, items, channel, tries);
      }
      return true;
    } finally {
      for (const id of taken) this.#underWay.delete(id);
      this.#sending -= 1;
    }
  }

  /** Whether there is much beside what is under way. */
  #isMuchLeft(): boolean {
    if (this.#isMaking || !this.#isTaken) return false;
    return isMuchDue(this.#options, this.#underWay, muchDue);
  }

  async #next(taken: string[]): Promise<readonly Item[]> {
    const take = (id: string): void => {
      taken.push(id);
      this.#underWay.add(id);
    };
    this.#isMaking = true;
    try {
      const manner = { turn: this.#turn, underWay: this.#underWay, take };
      return await nextBatch(this.#options, manner);
    } finally {
      this.#isMaking = false;
      // What it has left may be much.
      if (taken.length > 0) this.#news.tell();
    }
  }

  async #cope(
    problem: Problem,
    items: readonly Item[],
    channel: Channel,
    tries: Tries,
  ): Promise<void> {
    const { random, signOfLifeMs } = this.#options;
    if (problem.type === 'invalid' && items.length > 1) {
      // One of them is the cause: the rest must not wait for it.
      tries.limit = Math.ceil(items.length / 2);
    } else if (problem.type === 'invalid') {
      await this.#drop(items, problem.reason);
      tries.limit = Number.POSITIVE_INFINITY;
    } else if (problem.type === 'later') {
      // It is the right one and can't store anything for now: we stay, and keep what we have.
      tries.failures = 0;
      const pauseMs = backoffMs(retry, tries.waits, random());
      await sleep(Math.min(pauseMs, signOfLifeMs()), channel.signal);
      tries.waits += 1;
    } else {
      tries.failures += 1;
      if (problem.type === 'final' || tries.failures >= failuresAllowed) {
        return channel.fail(`reports are not taken: ${problem.reason}`);
      }
      await sleep(backoffMs(retry, tries.failures - 1, random()), channel.signal);
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
    await this.#settle(items.slice(0, Math.max(0, taken)));
    return taken > 0 ? null : { type: 'again', reason: 'acknowledged none of them' };
  }

  /** Takes note at once. The disk is waited for with the next batch only: that one need not wait for it. */
  async #settle(items: readonly Item[]): Promise<void> {
    const before = this.#settling;
    // What failed before is told below, and once: the disk may be well again.
    const settled = before.catch(() => undefined);
    this.#settling = Promise.all([settled, this.#acknowledge(items)]);
    // Whoever waits for it next is told.
    this.#settling.catch(() => undefined);
    await before;
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
      if (event.type === 'end-acknowledged' && key.end !== null && key.end.logBytes > 0) {
        written.push(removeLog(logPath(folder.logs, attemptId(key))));
      }
    }
    await Promise.all(written);
  }

  async #drop(items: readonly Item[], reason: string): Promise<void> {
    for (const { report } of items) this.#options.onDropped(report, reason);
    await this.#settle(items);
  }
}

/** How it went so far. */
interface Tries {
  failures: number;
  waits: number;
  /** So many reports in one batch at most. */
  limit: number;
}

const firstTry: Readonly<Tries> = { failures: 0, waits: 0, limit: Number.POSITIVE_INFINITY };

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
