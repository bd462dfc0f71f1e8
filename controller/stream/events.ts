import { setTimeout as pause } from 'node:timers/promises';
import { type Reader, StoreAwayError } from '../store/reader.ts';
import type { EventRecord } from '../store/records.ts';
import type { WorkState } from '../work/state.ts';
import { eventView } from '../work/views.ts';
import type { EventStream } from './sse.ts';

export interface SendEventsOptions {
  readonly state: Pick<WorkState, 'onEvents' | 'lastEvent'>;
  readonly reader: Pick<Reader, 'events'>;
  /** The last one that the client has; null: it wants only what happens from now on. */
  readonly after: bigint | null;
  readonly stream: EventStream;
  /** Aborts when the stream is over. */
  readonly signal: AbortSignal;
}

const PAGE = 1_000;
const STORE_RETRY_MS = 500;

/**
 * Sends events as they are committed, each once and in their order, after those that the client missed. An
 * outage of the database delays what was missed, and ends nothing.
 */
export async function sendEvents(options: SendEventsOptions): Promise<void> {
  const { state, after, stream, signal } = options;
  // Listening begins before the past is read: what is committed meanwhile must not fall between.
  const waiting: EventRecord[] = [];
  let take = (events: readonly EventRecord[]): void => void waiting.push(...events);
  const stopListening = state.onEvents((events) => take(events));
  signal.addEventListener('abort', stopListening, { once: true });
  if (signal.aborted) stopListening();
  let lastSeq = after ?? 0n;
  const send = (events: readonly EventRecord[]): void => {
    for (const event of events.filter(({ seq }) => seq > lastSeq)) {
      lastSeq = event.seq;
      const data = eventView(event);
      stream.send({ type: event.kind, id: data.seq, data });
    }
  };
  // Who has seen nothing yet must know its place too: it may have to go on at the next controller.
  if (after === null && state.lastEvent !== null) {
    lastSeq = state.lastEvent;
    const seq = lastSeq.toString();
    stream.send({ type: 'place', id: seq, data: { seq } });
  }
  try {
    for (let isMore = after !== null; isMore && !signal.aborted; ) {
      const page = await pageAfter(options, lastSeq);
      send(page);
      isMore = page.length === PAGE;
    }
    take = send;
    send(waiting);
  } catch {
    // Its client comes again, and says where it was.
    stream.close();
  }
}

async function pageAfter(
  { reader, signal }: SendEventsOptions,
  seq: bigint,
): Promise<EventRecord[]> {
  for (;;) {
    try {
      return await reader.events(seq, PAGE);
    } catch (error) {
      if (!(error instanceof StoreAwayError) || signal.aborted) throw error;
      await pause(STORE_RETRY_MS);
    }
  }
}
