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
  /** Of each connection, each way; null: no limit. */
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

/** What the connections of a link have in common: its conduct at this moment. */
export class Link {
  conduct: Conduct = perfect;
  readonly #random: () => number;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** How long a piece is under way, once it is on the line. */
  delayMs(): number {
    const { delayMs, jitterMs, stallChance, stallMs } = this.conduct;
    const stall = this.#random() < stallChance ? stallMs : 0;
    return delayMs + jitterMs * this.#random() + stall;
  }

  /** How long a piece takes to get on the line. */
  sendingMs(bytes: number): number {
    const { bytesPerSecond } = this.conduct;
    return bytesPerSecond === null ? 0 : (1_000 * bytes) / bytesPerSecond;
  }

  isCut(way: Way): boolean {
    return this.conduct.cut.includes(way);
  }
}
