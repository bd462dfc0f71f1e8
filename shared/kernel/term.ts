/**
 * The fencing token: one higher with every grant, never reset. A bigint, because its high bits hold
 * the WAL timeline (bits 40 and up) and exceed what a JavaScript number can hold. On the wire and in
 * JSON it is a decimal string.
 */
export type Term = bigint;

/** How many low bits of a term count grants within one WAL timeline. */
export const TIMELINE_SHIFT = 40n;

/**
 * The largest term that is believed. No store grants one so high (its timeline would be above four
 * million), and a claim above it still fits PostgreSQL's bigint: a forged term can't end all claims.
 */
export const MAX_TERM: Term = 2n ** 62n;

/**
 * The largest term that is taken on hearsay. Claims go above what was heard, and must still be terms
 * that everybody believes: a forged one leaves room for as many claims as a timeline has.
 */
export const MAX_HEARD_TERM: Term = MAX_TERM - (1n << TIMELINE_SHIFT);

/** The term as it travels: a decimal string. */
export function formatTerm(term: Term): string {
  return term.toString(10);
}

/** Parses a decimal term; null when the text is not a whole number up to `MAX_TERM`. */
export function parseTerm(text: string): Term | null {
  if (!/^\d{1,19}$/.test(text)) return null;
  const term = BigInt(text);
  return term <= MAX_TERM ? term : null;
}

/** The higher of two terms. */
export function maxTerm(a: Term, b: Term): Term {
  return a > b ? a : b;
}
