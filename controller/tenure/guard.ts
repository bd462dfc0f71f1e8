import type { Term } from '@understudy/shared/kernel/term';
import type { Tenure } from '@understudy/shared/protocol/tenure';
import { type Clock, msToNs } from '@understudy/shared/runtime/clock';

export interface GuardOptions {
  readonly clock: Clock;
  /** How long trust lasts from when a renewal was sent: ttl minus margin. */
  readonly trustMs: number;
  /** The host was suspended: nothing may be done until the next renewal. */
  readonly onSlept: (gapMs: number) => void;
}

/** A gap between wall clock and monotonic clock above this means that the host slept. */
const SLEEP_GAP_MS = 250;

/**
 * Holds the tenure and says whether this process may act for it, at the moment of asking. To be asked
 * on admission of each request, before each order, before COMMIT, and before each success answer.
 */
export class TenureGuard {
  readonly #options: GuardOptions;
  readonly term: Term;
  #trustedUntilNs: bigint;
  #offsetMs: number;
  #sleptAtNs: bigint | null = null;
  #isHeld = false;
  #waiting: (() => void)[] = [];

  constructor(tenure: Tenure, options: GuardOptions) {
    this.#options = options;
    this.term = tenure.term;
    this.#trustedUntilNs = tenure.trustedUntilNs;
    // As the heartbeat last saw it: the host may have slept between its look and this one.
    this.#offsetMs = tenure.clockOffsetMs ?? this.#clockOffsetMs();
  }

  get trustedUntilNs(): bigint {
    return this.#trustedUntilNs;
  }

  /** Past the deadline there is nothing to wait for. */
  get isOver(): boolean {
    return this.#options.clock.monotonicNs() >= this.#trustedUntilNs;
  }

  /** Whether it may be acted for the term now. */
  mayAct(): boolean {
    this.checkClocks();
    return this.#sleptAtNs === null && !this.#isHeld && !this.isOver;
  }

  /** Nothing may be done for the term until `resume`: it may be handed over at any moment. */
  hold(): void {
    this.#isHeld = true;
  }

  /** The term was not handed over and will not be. */
  resume(): void {
    this.#isHeld = false;
    this.#wake();
  }

  /** Moves the deadline. A renewal that was sent before the host slept does not end the suspicion. */
  extend(tenure: Tenure): void {
    if (tenure.term !== this.term || tenure.trustedUntilNs <= this.#trustedUntilNs) return;
    this.#trustedUntilNs = tenure.trustedUntilNs;
    const sentAtNs = tenure.trustedUntilNs - msToNs(this.#options.trustMs);
    if (this.#sleptAtNs !== null && sentAtNs >= this.#sleptAtNs) this.#sleptAtNs = null;
    this.#wake();
  }

  /** Resolves when it may be acted again, after a suspension of the host or a hold. */
  async untilMayAct(): Promise<void> {
    while (!this.mayAct()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Compares the clocks. Done with each renewal, and whenever somebody asks whether to act. */
  checkClocks(): void {
    const offset = this.#clockOffsetMs();
    const gapMs = Math.abs(offset - this.#offsetMs);
    this.#offsetMs = offset;
    if (gapMs <= SLEEP_GAP_MS) return;
    this.#sleptAtNs = this.#options.clock.monotonicNs();
    this.#options.onSlept(Math.round(gapMs));
  }

  /** Who waits looks for itself whether it may go on. */
  #wake(): void {
    for (const look of this.#waiting.splice(0)) look();
  }

  #clockOffsetMs(): number {
    const { clock } = this.#options;
    return clock.wallMs() - clock.monotonicMs();
  }
}
