import { randomBytes } from 'node:crypto';

/** Makes ids (UUID version 7) that sort by the time of creation, also within a millisecond. */
export function makeIds(now: () => number): () => string {
  let lastMs = 0;
  let counter = 0;
  return () => {
    const ms = Math.max(now(), lastMs);
    counter = ms === lastMs ? counter + 1 : randomBytes(2).readUInt16BE() >> 5;
    // The counter has twelve bits; when they are used up, the next millisecond is borrowed.
    lastMs = counter > 0xfff ? ms + 1 : ms;
    if (counter > 0xfff) counter = 0;
    const time = lastMs.toString(16).padStart(12, '0');
    const rest = randomBytes(8);
    rest[0] = ((rest[0] ?? 0) & 0x3f) | 0x80;
    const tail = rest.toString('hex');
    const count = counter.toString(16).padStart(3, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  };
}
