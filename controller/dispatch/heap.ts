/** What came first is taken first, also when it was put back meanwhile. Both cost the logarithm of the size. */
export class Heap<T extends { readonly seq: number }> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  push(item: T): void {
    const items = this.#items;
    let at = items.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = items[above];
      if (parent === undefined || parent.seq <= item.seq) break;
      items[at] = parent;
      at = above;
    }
    items[at] = item;
  }

  /** Takes out the item with the lowest number; null when there is none. */
  pop(): T | null {
    const [first] = this.#items;
    const last = this.#items.pop();
    if (first === undefined || last === undefined) return null;
    if (this.#items.length > 0) this.#sink(last);
    return first;
  }

  /** Puts an item in the place of the first, and from there where it belongs. */
  #sink(item: T): void {
    const items = this.#items;
    let at = 0;
    for (;;) {
      const left = items[2 * at + 1];
      const right = items[2 * at + 2];
      if (left === undefined) break;
      const isRight = right !== undefined && right.seq < left.seq;
      const child = isRight ? right : left;
      if (child.seq >= item.seq) break;
      items[at] = child;
      at = 2 * at + (isRight ? 2 : 1);
    }
    items[at] = item;
  }
}
