import { findProgram } from '@understudy/shared/runtime/child';
import { WaitingCommand } from './waiting-command.ts';

/** One takes a second: it waits for those who know better. */
const WITHIN_MS = 3_000;

/** A command that announces an address, and waits to be told to do so. */
export class Announcer {
  readonly #name: string;
  readonly #command: WaitingCommand;
  #isBroken = false;

  /** Starts it. */
  constructor([name = '', ...args]: readonly string[]) {
    this.#name = name;
    // Such a program asks for no input; a shell waits in its place. Without its word it ends.
    const waits = ['sh', '-c', 'read -r _ && exec "$0" "$@"'];
    this.#command = new WaitingCommand([...waits, findProgram(name), ...args]);
  }

  /** Whether it lives and waits, as far as is known. */
  get isWaiting(): boolean {
    return this.#command.isWaiting;
  }

  /** Announces, to its end. Null: all went well; else what went wrong. Never rejects. */
  async announce(): Promise<string | null> {
    const { isWell, said, how } = await this.#command.run('now\n', WITHIN_MS);
    if (isWell || this.#isBroken) return null;
    return `${this.#name}: ${said.slice(0, 3).join('; ') || how}`;
  }

  /** Kills it. */
  breakOff(): void {
    this.#isBroken = true;
    this.#command.breakOff();
  }
}
