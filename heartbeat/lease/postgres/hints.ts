import type { Connection } from '@understudy/shared/runtime/database';
import { messageOf } from '@understudy/shared/runtime/errors';
import type { Log } from '@understudy/shared/runtime/log';

export interface HintsOptions {
  readonly pair: string;
  readonly log: Log;
}

/**
 * Wakes listeners when the store says that the lease changed. Only a hint: notices are lost with
 * their connection, and reading the row is the truth.
 */
export class Hints {
  readonly #options: HintsOptions;
  readonly #listeners = new Set<() => void>();

  constructor(options: HintsOptions) {
    this.#options = options;
  }

  /** Listens on a fresh connection, and wakes everybody: what happened before it was open was missed. */
  async listenOn({ client }: Connection): Promise<void> {
    client.on('notification', () => this.#wake());
    try {
      await client.query('select lease_listen($1)', [this.#options.pair]);
      this.#wake();
    } catch (error) {
      this.#options.log.debug('No hints from the lease store', { error: messageOf(error) });
    }
  }

  /** Returns the function that unsubscribes. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #wake(): void {
    for (const listener of this.#listeners) listener();
  }
}
