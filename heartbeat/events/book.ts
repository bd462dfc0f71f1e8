import { formatTerm } from '@understudy/shared/kernel/term';
import {
  comparePlaces,
  type EventPlace,
  eventId,
  type PairEvent,
  placeOf,
} from '@understudy/shared/protocol/events';
import type { EventDraft } from './draft.ts';

export interface EventBookOptions {
  readonly node: string;
  readonly incarnation: string;
  /** So many events are kept; default 1,000. */
  readonly capacity?: number;
}

const DEFAULT_CAPACITY = 1_000;
const MAX_TEXT = 2_000;

/**
 * The events of this heartbeat in memory: numbered in the order in which they were told, bounded, the
 * oldest dropped first. Those that were dropped before they were written are counted.
 */
export class EventBook {
  readonly #options: EventBookOptions;
  readonly #capacity: number;
  #events: PairEvent[] = [];
  #seq = 0;
  #writtenSeq = 0;
  #dropped = 0;

  constructor(options: EventBookOptions) {
    this.#options = options;
    this.#capacity = options.capacity ?? DEFAULT_CAPACITY;
  }

  /** Events that were lost because they could not be written in time. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Puts an event down as told at that instant of the wall clock. */
  add({ kind, term, message, rule, evidence, facts }: EventDraft, atMs: number): PairEvent {
    const { node, incarnation } = this.#options;
    this.#seq += 1;
    const event: PairEvent = {
      id: eventId({ atMs, node, seq: this.#seq }),
      at: new Date(atMs).toISOString(),
      node,
      incarnation,
      seq: this.#seq,
      term: term === null ? null : formatTerm(term),
      kind,
      message: cut(message),
      rule,
      evidence: evidence === null ? null : cut(evidence),
      facts,
    };
    this.#events.push(event);
    if (this.#events.length > this.#capacity) {
      const oldest = this.#events.shift();
      if (oldest !== undefined && oldest.seq > this.#writtenSeq) this.#dropped += 1;
    }
    return event;
  }

  /** The first events that are not written yet, in order. */
  unwritten(atMost: number): readonly PairEvent[] {
    return this.#events.filter((event) => event.seq > this.#writtenSeq).slice(0, atMost);
  }

  /** Everything up to this number is written. */
  written(seq: number): void {
    this.#writtenSeq = Math.max(this.#writtenSeq, seq);
  }

  /** The first events after a place; without one, the newest. Oldest first. */
  list(after: EventPlace | null, limit: number): readonly PairEvent[] {
    const sorted = [...this.#events].sort((a, b) => comparePlaces(placeOf(a), placeOf(b)));
    if (after === null) return sorted.slice(-limit);
    return sorted.filter((event) => comparePlaces(placeOf(event), after) > 0).slice(0, limit);
  }
}

/** What others say may be long; an event is read by people. */
function cut(text: string): string {
  return text.length <= MAX_TEXT ? text : `${text.slice(0, MAX_TEXT)}...`;
}
