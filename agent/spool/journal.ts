import { closeSync, fdatasync, openSync, writeSync } from 'node:fs';
import { readFile, truncate } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Attempt } from '../attempt/attempt.ts';
import { attemptLine, type ClockOrigin, type Line, replay } from './journal-text.ts';
import { replaceFile } from './replace-file.ts';

export interface OpenedJournal {
  readonly journal: Journal;
  readonly attempts: Map<string, Attempt>;
  readonly unreadable: number;
  /** There was none: what this agent did before, if anything, is not known. */
  readonly isNew: boolean;
}

/** Opens the journal of a data folder and reads back what it knows. */
export async function openJournal(path: string, origin: ClockOrigin): Promise<OpenedJournal> {
  const text = await readOrEmpty(path);
  const { attempts, wholeBytes, lines, unreadable } = replay(text, origin);
  if (text !== '') await truncate(path, wholeBytes);
  const journal = new Journal(path, origin, lines);
  await journal.append([{ t: 'open', ...origin }], true);
  return { journal, attempts, unreadable, isNew: text === '' };
}

interface Waiting {
  readonly text: string;
  readonly sync: boolean;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

const datasync = promisify(fdatasync);

/**
 * An append-only file of what happened to attempts. Lines that are given in one moment, or while the disk is
 * at work, go out together, under one fdatasync: many attempts share the price of the disk. Only that is
 * waited for in the background: to hand lines to the kernel takes less time than to have another thread do it.
 */
export class Journal {
  readonly #path: string;
  readonly #origin: ClockOrigin;
  #file: number;
  #lines: number;
  #waiting: Waiting[] = [];
  #writing: Promise<void> | null = null;

  constructor(path: string, origin: ClockOrigin, lines: number) {
    this.#path = path;
    this.#origin = origin;
    this.#file = openSync(path, 'a');
    this.#lines = lines;
  }

  /** How many lines the file has. */
  get lines(): number {
    return this.#lines;
  }

  /** Resolves when the lines are written, and with `sync` when they will survive a power cut. */
  append(lines: readonly Line[], sync: boolean): Promise<void> {
    this.#lines += lines.length;
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) queueMicrotask(() => this.#run());
      this.#waiting.push({ text, sync, resolve, reject });
    });
  }

  /** Writes the journal anew with nothing but these attempts. `attempts` is called when it is time. */
  async compact(attempts: () => readonly Attempt[]): Promise<void> {
    while (this.#writing !== null) await this.#writing;
    this.#writing = this.#rewrite(attempts()).finally(() => {
      this.#writing = null;
      this.#run();
    });
    await this.#writing;
  }

  async #rewrite(attempts: readonly Attempt[]): Promise<void> {
    const lines: Line[] = [{ t: 'open', ...this.#origin }, ...attempts.map(attemptLine)];
    this.#lines = lines.length;
    await replaceFile(this.#path, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
    closeSync(this.#file);
    this.#file = openSync(this.#path, 'a');
  }

  #run(): void {
    if (this.#writing !== null || this.#waiting.length === 0) return;
    const batch = this.#waiting;
    this.#waiting = [];
    this.#writing = this.#write(batch).finally(() => {
      this.#writing = null;
      this.#run();
    });
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      writeAll(this.#file, batch.map((entry) => entry.text).join(''));
      for (const entry of batch) if (!entry.sync) entry.resolve();
      if (batch.some((entry) => entry.sync)) await datasync(this.#file);
      for (const entry of batch) entry.resolve();
    } catch (error) {
      for (const entry of batch) entry.reject(error);
    }
  }
}

function writeAll(file: number, text: string): void {
  let left = Buffer.from(text);
  while (left.length > 0) left = left.subarray(writeSync(file, left));
}

async function readOrEmpty(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}
