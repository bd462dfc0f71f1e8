/** A piece of an attempt's output, as it was reported. */
export interface Piece {
  /** Where in the output it begins. */
  readonly offset: number;
  readonly data: Buffer;
}

/**
 * What of a piece is stored, when so much of the output is stored already, and no more than a limit of it ever
 * is: what is new and within the limit. Null: nothing.
 */
export function storedPart(
  { offset, data }: Piece,
  known: number,
  limit: number,
): { readonly start: number; readonly data: Buffer } | null {
  const start = Math.max(known, offset);
  const rest = data.subarray(start - offset, Math.max(start, limit) - offset);
  return rest.length === 0 ? null : { start, data: rest };
}
