import { closeSync, openSync, writeSync } from 'node:fs';
import { type OutputLimit, tellDropped } from '../executor/output-limit.ts';

/** What an attempt in the host says. The file is made with the first byte of it. */
export class AttemptLog {
  readonly #path: string;
  readonly #limit: OutputLimit | null;
  readonly #onGrown: () => void;
  readonly #onTooLong: () => void;
  #file: number | null = null;
  #dropped = 0;
  #isClosed = false;
  bytes = 0;

  constructor(options: {
    readonly path: string;
    readonly limit: OutputLimit | null;
    readonly onGrown: () => void;
    readonly onTooLong: () => void;
  }) {
    this.#path = options.path;
    this.#limit = options.limit;
    this.#onGrown = options.onGrown;
    this.#onTooLong = options.onTooLong;
  }

  write(data: string | Uint8Array): void {
    if (this.#isClosed) return;
    const whole = Buffer.from(data);
    const room = (this.#limit?.limitBytes ?? Number.MAX_SAFE_INTEGER) - this.bytes;
    const kept = whole.subarray(0, room);
    if (kept.length > 0) this.#append(kept);
    if (kept.length === whole.length) return;
    this.#dropped += whole.length - kept.length;
    if (this.#limit?.onLimit === 'kill') this.#onTooLong();
  }

  /** Says what people should know of it, if anything. */
  close(): string | null {
    this.#isClosed = true;
    if (this.#file !== null) closeSync(this.#file);
    this.#file = null;
    return tellDropped(this.#dropped);
  }

  #append(data: Buffer): void {
    this.#file ??= openSync(this.#path, 'a', 0o640);
    for (let at = 0; at < data.length; ) at += writeSync(this.#file, data, at);
    this.bytes += data.length;
    this.#onGrown();
  }
}
