import { closeSync, fchownSync, fstatSync, ftruncateSync, openSync, rmSync } from 'node:fs';
import { type OutputLimit, tellDropped } from './output-limit.ts';

/** How often files that may outgrow their limit are looked at. */
const LOOK_EVERY_MS = 50;

/**
 * The file that gets the output of an attempt. No byte passes through this process, so a limit can't stop
 * the writer: what goes beyond it is cut off again, many times a second, and counted.
 */
export class Output {
  readonly #path: string;
  readonly #file: number;
  readonly #limit: OutputLimit | null;
  #dropped = 0;
  #closedAt: number | null = null;

  constructor(path: string, limit: OutputLimit | null) {
    // Appended to: after a cut, whoever still writes goes on at the new end.
    this.#path = path;
    this.#file = openSync(path, 'a', 0o640);
    this.#limit = limit;
  }

  /** For the standard output of a process. */
  get file(): number {
    return this.#file;
  }

  /** What of it is kept. */
  get bytes(): number {
    if (this.#closedAt !== null) return this.#closedAt;
    return Math.min(fstatSync(this.#file).size, this.#limit?.limitBytes ?? Number.MAX_SAFE_INTEGER);
  }

  /** Whoever reopens its standard output by name must be allowed to. */
  giveTo(account: { readonly uid: number; readonly gid: number }): void {
    fchownSync(this.#file, account.uid, account.gid);
  }

  /** Cuts off what is beyond the limit. Whether the writer is to be ended for it. */
  cut(): boolean {
    if (this.#limit === null || this.#closedAt !== null) return false;
    const { limitBytes, onLimit } = this.#limit;
    const excess = fstatSync(this.#file).size - limitBytes;
    if (excess <= 0) return false;
    ftruncateSync(this.#file, limitBytes);
    this.#dropped += excess;
    return onLimit === 'kill';
  }

  /** No more is written; of nothing no file is kept. Says what people should know of the output, if anything. */
  close(): string | null {
    if (this.#closedAt === null) {
      this.cut();
      this.#closedAt = this.bytes;
      closeSync(this.#file);
      if (this.#closedAt === 0) rmSync(this.#path, { force: true });
    }
    return tellDropped(this.#dropped);
  }
}

/** Looks at all outputs that may outgrow their limit. */
export class OutputWatch {
  readonly #watched = new Map<Output, () => void>();
  #looks: NodeJS.Timeout | null = null;

  /** Calls back when the writer is to be ended; stop watching with the function that it gives. */
  add(output: Output, onTooLong: () => void): () => void {
    this.#watched.set(output, onTooLong);
    this.#looks ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
    return () => this.#remove(output);
  }

  #look(): void {
    for (const [output, onTooLong] of this.#watched) if (output.cut()) onTooLong();
  }

  #remove(output: Output): void {
    this.#watched.delete(output);
    if (this.#watched.size > 0 || this.#looks === null) return;
    clearInterval(this.#looks);
    this.#looks = null;
  }
}
