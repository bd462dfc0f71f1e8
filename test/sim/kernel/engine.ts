interface Happening {
  readonly at: number;
  readonly seq: number;
  readonly run: () => void;
}

/**
 * Simulated time, and what is to happen in it: a heap of instants in true milliseconds, which no
 * simulated process can read. What is planned for one instant happens in the order of planning.
 */
export class Engine {
  now = 0;
  #seq = 0;
  readonly #heap: Happening[] = [];

  /** Plans something for an instant; one in the past means now. */
  at(time: number, run: () => void): void {
    this.#seq += 1;
    this.#push({ at: time < this.now ? this.now : time, seq: this.#seq, run });
  }

  after(ms: number, run: () => void): void {
    this.at(this.now + ms, run);
  }

  /** Lets time pass until `end`, or until `isDone` says so. */
  runUntil(end: number, isDone?: () => boolean): void {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.at > end) break;
      this.#pop();
      this.now = first.at;
      first.run();
      if (isDone?.() === true) return;
    }
    this.now = end;
  }

  #push(item: Happening): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push(item);
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(item, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    const { length } = heap;
    if (last === undefined || length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      let child = heap[below];
      if (child === undefined) break;
      const right = heap[below + 1];
      if (right !== undefined && isBefore(right, child)) {
        child = right;
        below += 1;
      }
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.seq < b.seq);
}
