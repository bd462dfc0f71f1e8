/** Which instants of a schedule have come up and are not decided yet. Pure: the cron computation is given. */

/** Gives one instant after the other, in milliseconds since 1970; null: there are no more. */
export type Walk = () => number | null;

/** The instants of a schedule after one, as a cron library computes them: forwards only. */
export type Instants = (after: number) => Walk;

/** So many instants are decided after an absence; older ones that were missed are not recorded. */
export const MAX_INSTANTS = 1_000;

/** Looks for instants in small steps, so that a long absence doesn't hold up anything else. */
export class Backlog {
  readonly #instants: Instants;
  #walk: Walk;
  #ahead: number | null;
  #found: number[] = [];
  #isCut = false;
  /** After too many: the walk over the newest ones, and how far back it began. */
  #windowMs = 0;

  constructor(instants: Instants, decidedUntil: number) {
    this.#instants = instants;
    this.#walk = instants(decidedUntil);
    this.#ahead = this.#walk();
  }

  /** The first instant that is not decided; null: there is none. */
  get nextAt(): number | null {
    return this.#found[0] ?? this.#ahead;
  }

  /** Looks on until now, as long as it may. Gives whether all that has come up is found. */
  look(now: number, mayGoOn: () => boolean): boolean {
    while (this.#ahead !== null && this.#ahead <= now) {
      if (!mayGoOn()) return false;
      this.#found.push(this.#ahead);
      this.#ahead = this.#walk();
      if (!this.#isCut && this.#found.length > MAX_INSTANTS) this.#widen(now);
    }
    // The window held too few of them: there are more before it.
    if (this.#windowMs > 0 && this.#found.length < MAX_INSTANTS) {
      this.#widen(now);
      return this.look(now, mayGoOn);
    }
    this.#windowMs = 0;
    this.#found = this.#found.slice(-MAX_INSTANTS);
    return true;
  }

  /** The oldest that were found. They count as decided from now on. */
  take(count: number): {
    readonly instants: number[];
    readonly rest: number;
    readonly cut: boolean;
  } {
    const instants = this.#found.splice(0, count);
    const cut = this.#isCut;
    this.#isCut = false;
    return { instants, rest: this.#found.length, cut };
  }

  // From a point that is bounded by the newest instants, not by how long the absence was.
  #widen(now: number): void {
    this.#isCut = true;
    this.#windowMs = this.#windowMs === 0 ? MAX_INSTANTS * 1_000 : 2 * this.#windowMs;
    this.#found = [];
    this.#walk = this.#instants(now - this.#windowMs);
    this.#ahead = this.#walk();
  }
}
