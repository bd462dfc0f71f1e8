import { setTimeout as delay } from 'node:timers/promises';
import { backoffMs } from '@understudy/shared/kernel/backoff';
import type { Log } from '@understudy/shared/runtime/log';
import type { EventBook } from './book.ts';
import type { EventStore } from './event-store.ts';

export interface EventWriterOptions {
  readonly book: EventBook;
  readonly store: Pick<EventStore, 'write'>;
  /** Called when everything that was told so far is written. */
  readonly onWritten: () => void;
  readonly log: Log;
}

/** A change of role tells several events within moments, and has better things to do than to write them. */
const GATHER_MS = 500;
const BATCH = 200;
const BACKOFF = { firstMs: 1_000, factor: 2, maxMs: 10_000 };

/** Carries the book's events into the store, in order, and tries again until the store takes them. */
export class EventWriter {
  readonly #options: EventWriterOptions;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> | null = null;
  #failures = 0;
  #finishing = false;

  constructor(options: EventWriterOptions) {
    this.#options = options;
  }

  /** There is something to write. */
  wake(): void {
    if (this.#timer === null && this.#writing === null && !this.#finishing) this.#plan(GATHER_MS);
  }

  /** Writes what is left, but waits no longer than this. */
  async finish(withinMs: number): Promise<void> {
    this.#finishing = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const limit = new AbortController();
    const written = (this.#writing ?? Promise.resolve()).then(() => this.#writeAll());
    await Promise.race([
      written,
      delay(withinMs, undefined, { signal: limit.signal }).catch(() => undefined),
    ]);
    limit.abort();
  }

  #plan(afterMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#writing = this.#writeAll().finally(() => {
        this.#writing = null;
        if (this.#finishing || this.#options.book.unwritten(1).length === 0) return;
        this.#plan(
          this.#failures === 0 ? GATHER_MS : backoffMs(BACKOFF, this.#failures - 1, Math.random()),
        );
      });
    }, afterMs);
  }

  async #writeAll(): Promise<void> {
    const { book, store, log, onWritten } = this.#options;
    for (;;) {
      const batch = book.unwritten(BATCH);
      const last = batch.at(-1);
      if (last === undefined) return onWritten();
      const result = await store.write(batch);
      if (result.kind === 'failed') {
        if (this.#failures === 0) {
          log.debug('events stay in memory until the store takes them', { error: result.error });
        }
        this.#failures += 1;
        return;
      }
      this.#failures = 0;
      book.written(last.seq);
    }
  }
}
