import { maxTerm, type Term } from '@understudy/shared/kernel/term';
import {
  type Attempt,
  type AttemptEvent,
  type AttemptKey,
  attemptId,
  isOpen,
  orderedAttempt,
  stepAttempt,
} from '../attempt/attempt.ts';
import type { Refusal } from '../attempt/decide.ts';
import type { DataFolder } from '../spool/folder.ts';
import { type Journal, openJournal } from '../spool/journal.ts';
import { nameJournal } from '../spool/journal-id.ts';
import type { ClockOrigin } from '../spool/journal-text.ts';
import { readTerm, writeTerm } from '../spool/term-file.ts';

/** So many attempts that are over and acknowledged are remembered, against orders that come again. */
const rememberedAttempts = 2_000;

/** So many lines more than there are attempts, and the journal is written anew. */
const compactAfterLines = 10_000;

/** An order that was refused for good, until a controller has taken note. */
export interface Refused extends AttemptKey {
  readonly reason: Refusal;
  acknowledged: boolean;
}

/** Opens the ledger of a data folder. */
export async function openLedger(folder: DataFolder, origin: ClockOrigin): Promise<Ledger> {
  const { journal, attempts, unreadable, isNew } = await openJournal(folder.journal, origin);
  const journalId = await nameJournal(folder.journalId, isNew || unreadable > 0);
  const highest = readTerm(folder.term);
  return new Ledger({ folder, journal, journalId, attempts, unreadable, highest });
}

interface LedgerParts {
  readonly folder: DataFolder;
  readonly journal: Journal;
  readonly journalId: string;
  readonly attempts: Map<string, Attempt>;
  readonly unreadable: number;
  readonly highest: Term;
}

/**
 * What this agent knows about its attempts, and the highest term it has seen: in memory, and on disk
 * before anything is done on the strength of it.
 */
export class Ledger {
  readonly #folder: DataFolder;
  readonly #journal: Journal;
  readonly #attempts: Map<string, Attempt>;
  readonly #refused = new Map<string, Refused>();
  readonly #unsettled: Set<string>;
  /** Attempts whose end is on its way to the disk. */
  readonly #ending = new Set<string>();
  #highest: Term;
  #raising: Promise<void> = Promise.resolve();
  #open = 0;
  #compacting = false;
  /** Lines of the journal that could not be read at the start. */
  readonly unreadable: number;
  /** See `register` in the agents' protocol. */
  readonly journalId: string;

  constructor(parts: LedgerParts) {
    this.#folder = parts.folder;
    this.#journal = parts.journal;
    this.#attempts = parts.attempts;
    this.#highest = parts.highest;
    const attempts = [...parts.attempts.values()];
    this.#open = attempts.filter(isOpen).length;
    this.#unsettled = new Set(
      attempts.filter(({ phase }) => phase !== 'acknowledged').map(attemptId),
    );
    this.unreadable = parts.unreadable;
    this.journalId = parts.journalId;
  }

  get highest(): Term {
    return this.#highest;
  }

  /** How many attempts take a slot. */
  get open(): number {
    return this.#open;
  }

  /** Whether nothing runs, and all ends are on disk. */
  get idle(): boolean {
    return this.#open === 0 && this.#ending.size === 0;
  }

  get(id: string): Attempt | undefined {
    return this.#attempts.get(id);
  }

  /** Attempts that a controller has yet to hear about, or that still run. */
  unsettled(): Attempt[] {
    return [...this.#unsettled].flatMap((id) => this.#attempts.get(id) ?? []);
  }

  /**
   * Unsettled attempts whose state may be told: an end only once it is on disk, or the next life of
   * this agent could tell another.
   */
  reportable(): Attempt[] {
    return this.unsettled().filter((attempt) => !this.#ending.has(attemptId(attempt)));
  }

  /** Refusals that a controller has yet to hear about. */
  refusals(): Refused[] {
    return [...this.#refused.values()].filter((refused) => !refused.acknowledged);
  }

  refusalOf(id: string): Refused | undefined {
    return this.#refused.get(id);
  }

  /** Keeps a higher term on disk, before anything of that term is acted on. */
  raise(term: Term): Promise<void> {
    if (term <= this.#highest) return Promise.resolve();
    // Whoever waited for the one before was told; the disk may be well again.
    const before = this.#raising.catch(() => undefined);
    this.#raising = before.then(async () => {
      if (term <= this.#highest) return;
      await writeTerm(this.#folder.term, term);
      this.#highest = maxTerm(this.#highest, term);
    });
    return this.#raising;
  }

  /** Writes down that an attempt is about to start; on return that will survive a power cut. */
  async begin(key: AttemptKey, term: Term): Promise<void> {
    const { run, attempt } = key;
    const id = attemptId(key);
    this.#attempts.set(id, orderedAttempt(key, term));
    this.#unsettled.add(id);
    this.#open += 1;
    await this.#journal.append([{ t: 'start', run, attempt, term: String(term) }], true);
    this.#step(id, { type: 'journalled' });
  }

  /** Notes what happened to an attempt. An end is on disk on return, the rest soon. */
  async record(
    key: AttemptKey,
    event: Exclude<AttemptEvent, { type: 'journalled' }>,
  ): Promise<void> {
    const { run, attempt } = key;
    const id = attemptId(key);
    const isEnd = event.type === 'ended';
    this.#step(id, event);
    if (isEnd) this.#ending.add(id);
    if (event.type === 'end-acknowledged') this.#trim();
    await this.#journal.append([{ t: 'event', run, attempt, event }], isEnd);
    if (isEnd) this.#ending.delete(id);
    await this.#compactWhenDue();
  }

  /** Keeps a refusal until it is acknowledged, and for a while after it for orders that come again. */
  refuse(key: AttemptKey, reason: Refusal): void {
    const { run, attempt } = key;
    this.#refused.delete(attemptId(key));
    this.#refused.set(attemptId(key), { run, attempt, reason, acknowledged: false });
    for (const [id, { acknowledged }] of this.#refused) {
      if (this.#refused.size <= rememberedAttempts) break;
      if (acknowledged) this.#refused.delete(id);
    }
  }

  /** A controller has taken note of a refusal. One for a stale term holds for that term only. */
  refusalAcknowledged(refused: Refused): void {
    refused.acknowledged = true;
    if (refused.reason === 'stale-term') this.#refused.delete(attemptId(refused));
  }

  #step(id: string, event: AttemptEvent): void {
    const before = this.#attempts.get(id);
    if (before === undefined) return;
    const after = stepAttempt(before, event);
    this.#attempts.set(id, after);
    if (after.phase === 'acknowledged') this.#unsettled.delete(id);
    else this.#unsettled.add(id);
    if (isOpen(before) && !isOpen(after)) this.#open -= 1;
  }

  #trim(): void {
    let excess = this.#attempts.size - rememberedAttempts;
    for (const [id, { phase }] of this.#attempts) {
      if (excess <= 0) break;
      if (phase !== 'acknowledged') continue;
      this.#attempts.delete(id);
      excess -= 1;
    }
  }

  async #compactWhenDue(): Promise<void> {
    if (this.#compacting || this.#journal.lines < this.#attempts.size + compactAfterLines) return;
    this.#compacting = true;
    try {
      await this.#journal.compact(() => [...this.#attempts.values()]);
    } finally {
      this.#compacting = false;
    }
  }
}
