/** Where a controller stands in a switch-over; see `SwitchOver` of the controller. */
export type GatePhase = 'open' | 'holding' | 'held' | 'forwarding';

interface Parked {
  readonly admit: () => void;
  readonly turnAway: () => void;
}

/** Lets requests in, or parks them while the role may be about to move. */
export class Gate {
  #parked: Parked[] = [];
  phase: GatePhase = 'open';

  /** Admits a request, now or when the gate opens; turns it away when it is to go to the new active. */
  enter(admit: () => void, turnAway: () => void): void {
    if (this.phase === 'open') admit();
    else if (this.phase === 'forwarding') turnAway();
    else this.#parked.push({ admit, turnAway });
  }

  open(): void {
    this.phase = 'open';
    for (const { admit } of this.#take()) admit();
  }

  forward(): void {
    this.phase = 'forwarding';
    for (const { turnAway } of this.#take()) turnAway();
  }

  #take(): Parked[] {
    const parked = this.#parked;
    this.#parked = [];
    return parked;
  }
}
