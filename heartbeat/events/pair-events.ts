import type { WorstCase } from '@understudy/shared/kernel/promise';
import {
  type EventPlace,
  type MeasuredView,
  mergeEvents,
  type PairEvent,
  type PairEvents as PairEventsPage,
} from '@understudy/shared/protocol/events';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { Log } from '@understudy/shared/runtime/log';
import type { RoleEvent, RoleOptions, RoleState, Story } from '../role/state.ts';
import { EventBook } from './book.ts';
import { describeStory, SERVED } from './describe-story.ts';
import { type Doubts, noDoubts, type Seen, type SeenPeer, stepDoubts } from './doubts.ts';
import { draft, type EventDraft } from './draft.ts';
import type { EventStore } from './event-store.ts';
import { EventWriter } from './event-writer.ts';
import { type Interruption, type LastService, measureInterruption } from './interruption.ts';
import { summarizeMeasured } from './measured.ts';
import { ServiceWatch } from './service-watch.ts';
import { Words } from './words.ts';

export interface PairEventsOptions {
  readonly role: RoleOptions;
  /** What is promised, by kind of failure. */
  readonly promise: readonly WorstCase[];
  readonly store: EventStore;
  readonly peers: () => readonly SeenPeer[];
  /** What peers said of the end of their last service. */
  readonly toldByPeers: () => readonly LastService[];
  /** A new service was measured. */
  readonly onInterruption: (interruption: Interruption) => void;
  readonly clock: Clock;
  readonly log: Log;
}

const FINISH_WITHIN_MS = 1_000;
/** So long the word of the node that served before is waited for: it may be a moment late. */
const WORD_WITHIN_MS = 300;
/** The peer writes its events at about the same time as we do: a little later they can be read. */
const REFRESH_AFTER_MS = 3_000;
/** So many of the newest measurements are looked at. */
const MEASUREMENTS = 500;

/**
 * Keeps what this heartbeat decided, and why: takes in what it learns and does, puts it down as events,
 * and has them written while the store answers. Nothing here is waited for by a change of role.
 */
export class PairEvents {
  readonly #options: PairEventsOptions;
  readonly #book: EventBook;
  readonly #writer: EventWriter;
  readonly #service: ServiceWatch;
  readonly #words = new Words();
  readonly #served = new Map<string, PairEvent>();
  #measured: readonly MeasuredView[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #doubts: Doubts = noDoubts;
  #isRefreshing = false;

  constructor(options: PairEventsOptions) {
    this.#options = options;
    const { role, store, log } = options;
    this.#book = new EventBook(role.self);
    this.#service = new ServiceWatch(role.self.node);
    this.#writer = new EventWriter({
      book: this.#book,
      store,
      onWritten: () => this.#refreshSoon(),
      log: log.with({ part: 'events' }),
    });
  }

  /** This heartbeat has cleaned up after its predecessor and begins to watch the lease. */
  onStarted(version: string, predecessor: string | null): void {
    const message = 'the heartbeat began: passive until the store grants the lease';
    this.#add(draft('began', message, { facts: { version, predecessor } }));
  }

  /** Something that is no story of the role machine. */
  note(event: EventDraft): void {
    this.#add(event);
  }

  onStory(story: Story): void {
    const now = this.#options.clock.monotonicMs();
    this.#service.onStory(story, now);
    if (story.kind === 'serving') this.#onServing(story, now);
    else this.#add(describeStory(story));
  }

  /** The role machine took in an event, and this is its state now. */
  onStep(event: RoleEvent, state: RoleState): void {
    this.#service.onState(state, this.#options.clock.monotonicMs());
    const word = this.#words.onEvent(event);
    if (word !== null) this.#add(word);
    this.#see({ kind: 'step', event, state });
    this.#see({ kind: 'peers', peers: this.#options.peers(), state });
  }

  /** The controller was checked; `failures` checks in a row were bad, `needed` are needed to act. */
  onCheck(problem: string | null, failures: number, needed: number): void {
    if (problem === null) this.#service.onGoodCheck(this.#options.clock.monotonicMs());
    this.#see({ kind: 'check', problem, failures, needed });
  }

  /** The worst case by the settings, per kind of failure. */
  get promise(): readonly WorstCase[] {
    return this.#options.promise;
  }

  /** When and why our own last service ended; null while there was none. For peers. */
  get ownLastService(): LastService | null {
    return this.#service.ended;
  }

  /** What was measured in the pair, as far as this node knows. */
  get measured(): readonly MeasuredView[] {
    return this.#measured;
  }

  /** The events of the pair, from the store if it answers, with those that this node still has in memory. */
  async list(after: EventPlace | null, limit: number): Promise<PairEventsPage> {
    const stored = await this.#options.store.read({ after, limit });
    const own = this.#book.list(after, limit);
    const merged = mergeEvents(stored.kind === 'read' ? stored.events : [], own);
    const items = after === null ? merged.slice(-limit) : merged.slice(0, limit);
    return {
      items,
      next: items.length === limit ? (items.at(-1)?.id ?? null) : null,
      source: stored.kind === 'read' ? 'database' : 'memory',
      problem: stored.kind === 'read' ? null : stored.error,
      dropped: this.#book.dropped,
    };
  }

  /** Writes what is left, within a second, and ends the connection. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#writer.finish(FINISH_WITHIN_MS);
    this.#options.store.close();
  }

  /** A new service measures how long there was none. */
  #onServing(story: Extract<Story, { kind: 'serving' }>, servingAt: number): void {
    const { clock, promise, role, toldByPeers, onInterruption } = this.#options;
    const atMs = clock.wallMs();
    const { basis } = this.#service;
    const measure = () => {
      const own = this.#service.ended;
      return measureInterruption({
        term: story.term,
        basis,
        servingAt,
        told: own === null ? toldByPeers() : [...toldByPeers(), own],
        lastRenewal: this.#service.lastRenewal,
        storeTroubleAt: this.#service.storeTroubleAt,
      });
    };
    const tell = (interruption: Interruption) => {
      const described = describeStory(story);
      const promised = promise.find((each) => each.failure === interruption.failure);
      const facts = {
        ...described.facts,
        ...interruption,
        basis,
        to: role.self.node,
        promisedMs: promised?.worstMs ?? null,
      };
      const event = this.#add({ ...described, facts }, atMs);
      this.#noteServed([event]);
      onInterruption(interruption);
    };
    const first = measure();
    const mayHearMore = first.measured === 'last-renewal-to-serving' && basis !== 'silence';
    if (mayHearMore) this.#later(WORD_WITHIN_MS, () => tell(measure()));
    else tell(first);
  }

  #refreshSoon(): void {
    if (this.#isRefreshing) return;
    this.#isRefreshing = true;
    this.#later(REFRESH_AFTER_MS, () => {
      this.#isRefreshing = false;
      void this.#refresh();
    });
  }

  /** Learns what other nodes, and earlier lives of this one, have measured. */
  async #refresh(): Promise<void> {
    const query = { after: null, limit: MEASUREMENTS, kind: SERVED };
    const result = await this.#options.store.read(query);
    if (result.kind === 'failed') return;
    this.#noteServed(result.events);
  }

  #noteServed(events: readonly PairEvent[]): void {
    for (const event of events) this.#served.set(event.id, event);
    this.#measured = summarizeMeasured([...this.#served.values()]);
  }

  #later(afterMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, afterMs);
    this.#timers.add(timer);
  }

  #see(seen: Seen): void {
    const { clock, role } = this.#options;
    const { doubts, drafts } = stepDoubts(this.#doubts, seen, clock.monotonicMs(), role);
    this.#doubts = doubts;
    for (const each of drafts) this.#add(each);
  }

  #add(event: EventDraft, atMs = this.#options.clock.wallMs()): PairEvent {
    const added = this.#book.add(event, atMs);
    this.#writer.wake();
    return added;
  }
}
