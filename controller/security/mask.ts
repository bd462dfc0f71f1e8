import { SHORTEST_SECRET } from '@understudy/shared/protocol/secrets';

/** Stands in the place of each byte of a value. */
const STAR = 0x2a;
/** Lines of a value of many lines are masked on their own when they are so long. */
const SHORTEST_LINE = 8;

/** A place in an output, in bytes. */
export interface Place {
  readonly from: number;
  readonly to: number;
}

/**
 * Hides values in the output of one attempt, however it is cut into pieces. A byte stays a byte, so that an
 * offset means the same place in what was written and in what is stored. A value whose beginning was in an
 * earlier piece is hidden there afterwards: `masked` says where.
 */
export class Masker {
  readonly #values: readonly Buffer[];
  readonly #longest: number;
  /** The end of what came so far, as it was written. */
  #tail: Buffer;
  /** Where in the output the tail ends. */
  #at: number;

  constructor(values: readonly string[], before: { readonly tail: Buffer; readonly at: number }) {
    this.#values = formsOf(values);
    this.#longest = this.#values.reduce((longest, { length }) => Math.max(longest, length), 0);
    this.#tail = before.tail;
    this.#at = before.at;
  }

  /** Where in the output the next piece begins. */
  get at(): number {
    return this.#at;
  }

  /** The next piece, with nothing secret in it, and what is to be hidden of the pieces before. */
  take(piece: Buffer): { readonly data: Buffer; readonly before: readonly Place[] } {
    const text = Buffer.concat([this.#tail, piece]);
    const begin = this.#at - this.#tail.length;
    const shown = Buffer.from(text);
    const before: Place[] = [];
    for (const value of this.#values) {
      for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1)) {
        const end = at + value.length;
        shown.fill(STAR, at, end);
        // What ends before this piece was hidden when it came.
        const isCut = at < this.#tail.length && end > this.#tail.length;
        if (isCut) before.push({ from: begin + at, to: this.#at });
      }
    }
    const data = shown.subarray(this.#tail.length);
    this.#at += piece.length;
    this.#tail = text.subarray(Math.max(0, text.length - this.#longest + 1));
    return { data, before };
  }
}

/** How much of the output before it a masker must know, to find a value that is cut. */
export function reachOf(values: readonly string[]): number {
  return formsOf(values).reduce((longest, { length }) => Math.max(longest, length - 1), 0);
}

/** A text, for instance the reason of an end, with nothing secret in it. */
export function maskText(text: string, values: readonly string[]): string {
  return formsOf(values).reduce(
    (masked, value) => masked.replaceAll(value.toString(), '*'.repeat(SHORTEST_SECRET)),
    text,
  );
}

/** What a value looks like in an output: as it is, as JSON has it, and each long line of it. */
function formsOf(values: readonly string[]): Buffer[] {
  const forms = new Set<string>();
  for (const value of values) {
    const trimmed = value.trim();
    for (const form of [value, trimmed, JSON.stringify(trimmed).slice(1, -1)]) {
      if (Buffer.byteLength(form) >= SHORTEST_SECRET) forms.add(form);
    }
    for (const line of trimmed.split('\n').map((each) => each.trim())) {
      if (line !== trimmed && Buffer.byteLength(line) >= SHORTEST_LINE) forms.add(line);
    }
  }
  // The longest first: a value that is part of another must not hide that one from being found whole.
  return [...forms].map((form) => Buffer.from(form)).toSorted((a, b) => b.length - a.length);
}
