/** The two ways of a link: from the client to the server, and back. */
export type Way = 'up' | 'down';

/** How a link treats what is sent over it. */
export interface Conduct {
  /** Ways on which nothing arrives any more, and nobody is told. It may arrive after the link was healed. */
  readonly cut: readonly Way[];
  /** Connections are reset, new ones as well. */
  readonly refuses: boolean;
  readonly delayMs: number;
  /** On top of the delay, at random. Order is kept. */
  readonly jitterMs: number;
  /** How likely a piece waits for `stallMs` more, as one does that is lost and sent again. 0 to 1. */
  readonly stallChance: number;
  readonly stallMs: number;
  /** Of all connections together, each way; null: no limit. */
  readonly bytesPerSecond: number | null;
}

export const perfect: Conduct = {
  cut: [],
  refuses: false,
  delayMs: 0,
  jitterMs: 0,
  stallChance: 0,
  stallMs: 0,
  bytesPerSecond: null,
};

/** What the connections of a link have in common: its conduct, and how far its width is used up. */
export class Link {
  conduct: Conduct = perfect;
  readonly #random: () => number;
  readonly #freeAt: Record<Way, number> = { up: 0, down: 0 };

  constructor(random: () => number) {
    this.#random = random;
  }

  /** When a piece that came at `now` is to go on, in milliseconds of the same clock. */
  dueAt(way: Way, bytes: number, now: number): number {
    const { delayMs, jitterMs, stallChance, stallMs, bytesPerSecond } = this.conduct;
    const stall = this.#random() < stallChance ? stallMs : 0;
    const sentAt = Math.max(now, this.#freeAt[way]);
    if (bytesPerSecond !== null) this.#freeAt[way] = sentAt + (1_000 * bytes) / bytesPerSecond;
    const wait = bytesPerSecond === null ? now : this.#freeAt[way];
    return wait + delayMs + jitterMs * this.#random() + stall;
  }

  isCut(way: Way): boolean {
    return this.conduct.cut.includes(way);
  }
}
