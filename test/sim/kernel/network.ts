import type { Dice } from './dice.ts';
import type { Engine } from './engine.ts';

export interface NetworkKnobs {
  readonly baseMs: number;
  readonly jitterMs: number;
  /** How often a message takes a detour, and how long that may be. */
  readonly tailChance: number;
  readonly tailMs: number;
  readonly lossChance: number;
  /** How often a message that was held up arrives after all, long after its sender gave it up. */
  readonly lateChance: number;
}

/** What a link does with messages. `reject`: the sender is told at once, as by a firewall's REJECT. */
export type LinkState = 'open' | 'cut' | 'reject';

interface Link {
  state: LinkState;
  slowMs: number;
  readonly held: (() => void)[];
}

const MAX_HELD = 4;

/** Links between places, each direction by itself: messages take time, get lost, or come very late. */
export class Network {
  readonly #engine: Engine;
  readonly #dice: Dice;
  readonly #knobs: NetworkKnobs;
  readonly #links: Link[];
  readonly #places: number;
  #isHealed = false;

  constructor(engine: Engine, dice: Dice, knobs: NetworkKnobs, places: number) {
    this.#engine = engine;
    this.#dice = dice;
    this.#knobs = knobs;
    this.#places = places;
    this.#links = Array.from({ length: places * places }, () => ({
      state: 'open',
      slowMs: 0,
      held: [],
    }));
  }

  /** Sends a message. False: it was refused, and the sender knows. */
  send(from: number, to: number, deliver: () => void): boolean {
    const link = this.#link(from, to);
    if (link.state === 'reject') return false;
    const dice = this.#dice;
    const isLost = link.state === 'cut' || (!this.#isHealed && dice.chance(this.#knobs.lossChance));
    if (!isLost) {
      this.#engine.after(this.#delay(link), deliver);
      return true;
    }
    if (!dice.chance(this.#knobs.lateChance)) return true;
    if (link.state !== 'cut') this.#engine.after(dice.between(50, 5_000), deliver);
    else if (link.held.length < MAX_HELD) link.held.push(deliver);
    return true;
  }

  state(from: number, to: number): LinkState {
    return this.#link(from, to).state;
  }

  set(from: number, to: number, state: LinkState): void {
    const link = this.#link(from, to);
    link.state = state;
    if (state !== 'open') return;
    for (const deliver of link.held.splice(0)) this.#engine.after(this.#delay(link), deliver);
  }

  slow(from: number, to: number, ms: number): void {
    this.#link(from, to).slowMs = ms;
  }

  /** From now on no message is lost or takes a detour. */
  heal(): void {
    this.#isHealed = true;
    for (let from = 0; from < this.#places; from++) {
      for (let to = 0; to < this.#places; to++) {
        this.slow(from, to, 0);
        this.set(from, to, 'open');
      }
    }
  }

  #delay(link: Link): number {
    const { baseMs, jitterMs, tailChance, tailMs } = this.#knobs;
    const dice = this.#dice;
    const detour = !this.#isHealed && dice.chance(tailChance) ? dice.between(0, tailMs) : 0;
    const slow = link.slowMs === 0 ? 0 : dice.between(0.5, 1) * link.slowMs;
    return baseMs + jitterMs * dice.next() + detour + slow;
  }

  #link(from: number, to: number): Link {
    const link = this.#links[from * this.#places + to];
    if (link === undefined) throw new Error(`there is no link from ${from} to ${to}`);
    return link;
  }
}
