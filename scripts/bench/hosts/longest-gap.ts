/** The longest time without one of these instants, which come in any order, between two others. */
export function longestGapMs(instants: readonly number[], from: number, until: number): number {
  const inside = instants.filter((at) => at > from && at < until).toSorted((a, b) => a - b);
  let [longest, last] = [0, from];
  for (const at of [...inside, until]) {
    longest = Math.max(longest, at - last);
    last = at;
  }
  return longest;
}
