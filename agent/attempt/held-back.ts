/**
 * How many bytes at the end of a piece of output may be the beginning of one of these values. They wait for
 * what follows: only what has the whole of a value in it can have it hidden before anybody sees it.
 */
export function heldBack(piece: Buffer, values: readonly Buffer[]): number {
  let held = 0;
  for (const value of values) {
    for (let length = Math.min(value.length - 1, piece.length); length > held; length -= 1) {
      if (!piece.subarray(piece.length - length).equals(value.subarray(0, length))) continue;
      held = length;
    }
  }
  return held;
}
