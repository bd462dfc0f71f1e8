/** What a bite should take: long enough to be worth a transaction, too short to be in anybody's way. */
const GOOD_MS = 40;
const LONG_MS = 80;
const FIRST_SIZE = 100;
const LEAST_SIZE = 10;
const MOST_SIZE = 1_000;
/** For each millisecond of work so many are left to others. */
const REST_PER_WORK = 2;
const LEAST_REST_MS = 20;

/** How much is done at once, and how long it rests in between: what the database bears at this moment. */
export class Pace {
  #size = FIRST_SIZE;

  /** So many rows make a bite. */
  get size(): number {
    return this.#size;
  }

  /** Takes note of what a bite took; gives how long to rest. */
  restAfter(tookMs: number): number {
    if (tookMs > LONG_MS) this.#size = Math.max(LEAST_SIZE, Math.floor(this.#size / 2));
    else if (tookMs < GOOD_MS) this.#size = Math.min(MOST_SIZE, Math.ceil(this.#size * 1.5));
    return Math.max(LEAST_REST_MS, tookMs * REST_PER_WORK);
  }
}
