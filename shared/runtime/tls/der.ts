/** One value as DER writes it: what kind it is, how long, and what it holds. */
export interface Element {
  readonly tag: number;
  readonly content: Buffer;
  /** All of it, as it is signed. */
  readonly whole: Buffer;
}

export const tags = {
  integer: 0x02,
  bits: 0x03,
  identifier: 0x06,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/** No length of what is read here needs more bytes. */
const MOST_LENGTH_BYTES = 4;

/** The values that lie side by side. Throws for what is cut off, or has no length. */
export function elementsIn(bytes: Buffer): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const { from, until } = spanAt(bytes, at);
    if (until > bytes.length) throw new Error('it is cut off');
    elements.push({
      tag: bytes.readUInt8(at),
      content: bytes.subarray(from, until),
      whole: bytes.subarray(at, until),
    });
    at = until;
  }
  return elements;
}

/** Where the content of the value at this place begins and ends. */
function spanAt(bytes: Buffer, at: number): { readonly from: number; readonly until: number } {
  if (at + 2 > bytes.length) throw new Error('it is cut off');
  const first = bytes.readUInt8(at + 1);
  if (first < 0x80) return { from: at + 2, until: at + 2 + first };
  const count = first - 0x80;
  const from = at + 2 + count;
  if (count === 0 || count > MOST_LENGTH_BYTES || from > bytes.length) {
    throw new Error('it is not DER');
  }
  return { from, until: from + bytes.readUIntBE(at + 2, count) };
}
