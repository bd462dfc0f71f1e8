import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ClockShift } from '../preload/clock.ts';
import type { Mischief } from '../preload/mischief.ts';
import { signal } from './proc.ts';

const preloads = ['clock', 'mischief'].map((name) =>
  new URL(`../preload/${name}.js`, import.meta.url).toString(),
);

/** What the processes of a host need in their environment for its clocks to be set. */
export function unrulyEnvironment(folder: string, name: string): Record<string, string> {
  return {
    NODE_OPTIONS: preloads.map((url) => `--import=${url}`).join(' '),
    TEST_CLOCK: join(folder, `${name}.clock`),
    TEST_MISCHIEF: join(folder, `${name}.mischief`),
  };
}

/** The clocks and the manners of one host of a test. */
export class Unruly {
  readonly #clock: string;
  readonly #mischief: string;

  constructor(folder: string, name: string) {
    this.#clock = join(folder, `${name}.clock`);
    this.#mischief = join(folder, `${name}.mischief`);
  }

  /** Sets the clocks of all its processes, those of the future too; what is not mentioned is right. */
  setClock(shift: Partial<Omit<ClockShift, 'sinceNs'>>): void {
    // Replaced and not rewritten: nobody reads half of it.
    const sinceNs = process.hrtime.bigint().toString();
    writeFileSync(`${this.#clock}.new`, JSON.stringify({ ...shift, sinceNs }));
    renameSync(`${this.#clock}.new`, this.#clock);
  }

  /** From now on its controllers do this when they start. */
  whenItStarts(mischief: 'crash-at-start' | 'hang-at-start'): void {
    writeFileSync(this.#mischief, mischief);
  }

  /** A controller does this now. */
  now(pid: number, mischief: Mischief): void {
    writeFileSync(this.#mischief, mischief);
    signal(pid, 'SIGWINCH');
  }

  /** Its controllers behave again, its clocks are right. */
  behave(): void {
    rmSync(this.#mischief, { force: true });
    rmSync(this.#clock, { force: true });
    this.setClock({});
  }
}
