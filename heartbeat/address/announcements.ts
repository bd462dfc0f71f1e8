import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import { Announcer } from './announcer.ts';
import { announceCommand } from './commands.ts';
import { showAddress } from './found.ts';

/** The first two differ (`announceCommand`); that a later one fails is no news. */
const TOLD_TURNS = 1;

/** Tells the neighbours where the addresses are. The first words of a role that may be taken wait, ready to be sent. */
export class Announcements {
  readonly #onFailed: (error: string) => void;
  readonly #prepared = new Map<string, Announcer>();
  readonly #sent = new Set<Announcer>();

  constructor(onFailed: (error: string) => void) {
    this.#onFailed = onFailed;
  }

  /** The next ones that are sent are the first ones. */
  prepare(addresses: readonly VirtualAddress[]): void {
    for (const address of addresses) {
      const key = showAddress(address);
      if (this.#prepared.get(key)?.isWaiting) continue;
      this.#prepared.set(key, new Announcer(announceCommand(address, 1)));
    }
  }

  /** Announces these addresses for the so manieth time since they came. */
  send(addresses: readonly VirtualAddress[], turn: number): void {
    for (const address of addresses) void this.#send(address, turn);
  }

  /** Ends all. */
  breakOff(): void {
    for (const each of [...this.#prepared.values(), ...this.#sent]) each.breakOff();
    this.#prepared.clear();
  }

  async #send(address: VirtualAddress, turn: number): Promise<void> {
    const key = showAddress(address);
    const prepared = this.#prepared.get(key);
    this.#prepared.delete(key);
    const announcer = prepared?.isWaiting
      ? prepared
      : new Announcer(announceCommand(address, turn));
    this.#sent.add(announcer);
    const error = await announcer.announce();
    this.#sent.delete(announcer);
    if (error !== null && turn <= TOLD_TURNS) this.#onFailed(error);
  }
}
