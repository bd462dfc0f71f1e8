import { constants } from 'node:os';
import type { Libc } from './libc.ts';
import type { Exit } from './port.ts';

/** The kernel tells of each end. This look only keeps the process alive while there is one to come. */
const LOOK_EVERY_MS = 1_000;

const signalNames = new Map(
  Object.entries(constants.signals).map(([name, number]) => [number as number, name]),
);

/** Learns the ends of children that Node does not know. It asks for each by its pid, so as to take nobody else's. */
export class Reaper {
  readonly #reap: Libc['reap'];
  readonly #awaited = new Map<number, (exit: Exit) => void>();
  #looks: NodeJS.Timeout | null = null;

  constructor(reap: Libc['reap']) {
    this.#reap = reap;
    process.on('SIGCHLD', () => this.#look());
  }

  /** How a child ends, or has ended already. */
  exitOf(pid: number): Promise<Exit> {
    this.#looks ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
    return new Promise((resolve) => {
      this.#awaited.set(pid, resolve);
      this.#look();
    });
  }

  #look(): void {
    for (const [pid, resolve] of this.#awaited) {
      const status = this.#reap(pid);
      if (status === null) continue;
      this.#awaited.delete(pid);
      resolve(exitFrom(status));
    }
    if (this.#awaited.size > 0 || this.#looks === null) return;
    clearInterval(this.#looks);
    this.#looks = null;
  }
}

/** What the kernel's number for the end of a process says. */
export function exitFrom(status: number): Exit {
  const signal = status & 0x7f;
  if (signal === 0) return { exitCode: (status >> 8) & 0xff, signal: null };
  return { exitCode: null, signal: signalNames.get(signal) ?? `signal ${signal}` };
}
