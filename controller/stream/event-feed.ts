import type { ServerResponse } from 'node:http';
import type { Reader } from '../store/reader.ts';
import type { EventRecord } from '../store/records.ts';
import type { WorkState } from '../work/state.ts';
import { eventView } from '../work/views.ts';
import { EventStream } from './sse.ts';

export interface FeedParts {
  readonly state: WorkState;
  readonly reader: Reader;
  /** Events after this one; null: from now on. */
  readonly after: bigint | null;
}

const PAGE = 500;
const COMMENT_EVERY_MS = 15_000;

/** Streams events as they are committed, after those that the client missed. */
export async function openEventFeed(parts: FeedParts, response: ServerResponse): Promise<void> {
  const { state, reader } = parts;
  const waiting: EventRecord[] = [];
  let live = (events: readonly EventRecord[]): void => void waiting.push(...events);
  const stop = state.onEvents((events) => live(events));
  try {
    const missed = parts.after === null ? [] : await readAll(reader, parts.after);
    const stream = new EventStream(response);
    let last = parts.after ?? 0n;
    live = (events) => {
      for (const event of events) {
        if (event.seq <= last) continue;
        last = event.seq;
        stream.send(event.kind, JSON.stringify(eventView(event)), event.seq.toString());
      }
    };
    live(missed);
    live(waiting);
    const comments = setInterval(() => stream.comment('still here'), COMMENT_EVERY_MS);
    stream.onClose(() => {
      stop();
      clearInterval(comments);
    });
  } catch (error) {
    stop();
    throw error;
  }
}

async function readAll(reader: Reader, after: bigint): Promise<EventRecord[]> {
  const found: EventRecord[] = [];
  for (;;) {
    const page = await reader.events(found.at(-1)?.seq ?? after, PAGE);
    found.push(...page);
    if (page.length < PAGE) return found;
  }
}
