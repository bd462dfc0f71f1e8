import { setTimeout as pause } from 'node:timers/promises';
import { createParser } from 'eventsource-parser';

export interface FollowOptions {
  /** The controllers, in the order in which they are tried. */
  readonly urls: readonly string[];
  readonly token: string;
}

export interface SeenEvent {
  readonly seq: bigint;
  readonly type: string;
}

/** One stream, from the answer's headers to its end. Instants are nanoseconds of the monotonic clock. */
export interface Session {
  readonly node: string;
  readonly openedAt: bigint;
  closedAt: bigint | null;
}

const TRY_AGAIN_MS = 20;

/** A script that follows the events of the pair for good, as `EventSource` does: it goes on by the last id. */
export class EventFollower {
  readonly #options: FollowOptions;
  readonly #over = new AbortController();
  readonly events: SeenEvent[] = [];
  readonly sessions: Session[] = [];
  /** Where the first stream began; null before it did. */
  place: bigint | null = null;
  #lastId: string | null = null;

  constructor(options: FollowOptions) {
    this.#options = options;
    void this.#follow();
  }

  get lastSeq(): bigint {
    return this.events.at(-1)?.seq ?? this.place ?? 0n;
  }

  stop(): void {
    this.#over.abort();
  }

  async #follow(): Promise<void> {
    const { signal } = this.#over;
    while (!signal.aborted) {
      await openAndRead(this.#options, {
        path: '/api/v1/events/stream',
        headers: this.#lastId === null ? {} : { 'last-event-id': this.#lastId },
        signal,
        begin: (session) => {
          this.sessions.push(session);
          const parser = createParser({
            onEvent: ({ event = '', id, data }) => this.#take(event, id, data),
          });
          const decoder = new TextDecoder();
          return (chunk) => parser.feed(decoder.decode(chunk, { stream: true }));
        },
      });
      await pause(TRY_AGAIN_MS);
    }
  }

  #take(type: string, id: string | undefined, data: string): void {
    if (id === undefined) return;
    this.#lastId = id;
    if (type === 'place') this.place ??= BigInt((JSON.parse(data) as { seq: string }).seq);
    else this.events.push({ seq: BigInt(id), type });
  }
}

const LOG_WITHIN_MS = 120_000;

/** A script that follows the log of a run to its end: it goes on by how many bytes it has. */
export async function followLog(options: FollowOptions, run: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const bytes = () => chunks.reduce((sum, { length }) => sum + length, 0);
  const signal = AbortSignal.timeout(LOG_WITHIN_MS);
  for (let wasOver = false; ; ) {
    const before = bytes();
    const isWhole = await openAndRead(options, {
      path: `/api/v1/runs/${run}/log?follow=true&offset=${before}`,
      headers: {},
      signal,
      begin: () => (chunk) => void chunks.push(chunk),
    });
    // Once more after the end of the run: then nothing can come any more.
    if (isWhole && wasOver && bytes() === before) return Buffer.concat(chunks);
    wasOver = await isOver(options, run);
    signal.throwIfAborted();
    await pause(TRY_AGAIN_MS);
  }
}

interface Stream {
  readonly path: string;
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal;
  /** Takes each piece of what comes. */
  readonly begin: (session: Session) => (chunk: Uint8Array) => void;
}

/** Reads one stream of whichever controller answers, to its end. False: none did, or it broke off. */
async function openAndRead({ urls, token }: FollowOptions, stream: Stream): Promise<boolean> {
  const { path, signal, begin } = stream;
  const headers = { authorization: `Bearer ${token}`, ...stream.headers };
  for (const url of urls) {
    let session: Session | null = null;
    try {
      const response = await fetch(url + path, { headers, signal });
      if (!response.ok) {
        await response.body?.cancel();
        continue;
      }
      const node = response.headers.get('understudy-node') ?? '';
      session = { node, openedAt: process.hrtime.bigint(), closedAt: null };
      const take = begin(session);
      for await (const chunk of response.body ?? []) take(chunk as Uint8Array);
      return true;
    } catch {
      // Something was read: where to go on is for the caller to say. Else the next one may answer.
      if (session !== null) return false;
    } finally {
      if (session !== null) session.closedAt = process.hrtime.bigint();
    }
  }
  return false;
}

async function isOver({ urls, token }: FollowOptions, run: string): Promise<boolean> {
  for (const url of urls) {
    try {
      const headers = { authorization: `Bearer ${token}` };
      const response = await fetch(`${url}/api/v1/runs/${run}`, { headers });
      if (response.ok)
        return ((await response.json()) as { finishedAt: unknown }).finishedAt !== null;
    } catch {
      // The next one may answer.
    }
  }
  return false;
}
