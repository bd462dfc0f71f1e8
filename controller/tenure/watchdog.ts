import { Worker } from 'node:worker_threads';

/**
 * A thread that needs no free event loop: it sleeps until the deadline and kills this process `killWithinMs`
 * after it, unless the deadline was moved meanwhile.
 */
export class Watchdog {
  readonly #deadline: BigInt64Array;
  readonly #bell: Int32Array;
  readonly #thread: Worker;
  readonly #watching: Promise<void>;

  constructor(killWithinMs: number) {
    const deadline = new SharedArrayBuffer(8);
    const bell = new SharedArrayBuffer(4);
    this.#deadline = new BigInt64Array(deadline);
    this.#bell = new Int32Array(bell);
    this.#thread = new Worker(new URL('./watchdog-thread.js', import.meta.url), {
      workerData: { deadline, bell, killWithinMs } satisfies WatchdogData,
      // A thread that can't be heard must not be able to print either.
      stdout: true,
      stderr: true,
    });
    this.#thread.unref();
    // The thread says so once; it may be asked for any number of times.
    this.#watching = new Promise<void>((resolve, reject) => {
      this.#thread.once('message', () => resolve());
      this.#thread.once('error', reject);
    });
    this.#watching.catch(() => undefined);
  }

  /** Resolves when the thread watches. */
  async whenWatching(): Promise<void> {
    await this.#watching;
  }

  /** The thread's end is the end of the guard, so the process must not go on. */
  onFailure(listener: (error: Error) => void): void {
    this.#thread.on('error', listener);
    this.#thread.on('exit', () => listener(new Error('the watchdog thread ended')));
  }

  /** Sets the deadline, in nanoseconds of the monotonic clock. It wakes the thread only the first time. */
  set(deadlineNs: bigint): void {
    const isFirst = Atomics.exchange(this.#deadline, 0, deadlineNs) === 0n;
    if (!isFirst) return;
    Atomics.store(this.#bell, 0, 1);
    Atomics.notify(this.#bell, 0);
  }
}

/** What the thread is given. A deadline of 0: none yet. */
export interface WatchdogData {
  readonly deadline: SharedArrayBuffer;
  readonly bell: SharedArrayBuffer;
  readonly killWithinMs: number;
}
