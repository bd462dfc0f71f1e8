import { randomBytes, randomFillSync } from 'node:crypto';

/** Random bytes are asked for by so many ids at once: each question costs as much as the rest of an id. */
const POOLED_IDS = 256;
const BYTES = 8;

/** Makes ids (UUID version 7) that sort by the time of creation, also within a millisecond. */
export function makeIds(now: () => number): () => string {
  let lastMs = 0;
  let counter = 0;
  const pool = Buffer.alloc(POOLED_IDS * BYTES);
  let used = POOLED_IDS;
  return () => {
    const ms = Math.max(now(), lastMs);
    counter = ms === lastMs ? counter + 1 : randomBytes(2).readUInt16BE() >> 5;
    // The counter has twelve bits; when they are used up, the next millisecond is borrowed.
    lastMs = counter > 0xfff ? ms + 1 : ms;
    if (counter > 0xfff) counter = 0;
    const time = lastMs.toString(16).padStart(12, '0');
    if (used === POOLED_IDS) {
      randomFillSync(pool);
      used = 0;
    }
    const at = used * BYTES;
    used += 1;
    pool[at] = ((pool[at] ?? 0) & 0x3f) | 0x80;
    const tail = pool.toString('hex', at, at + BYTES);
    const count = counter.toString(16).padStart(3, '0');
    return `${time.slice(0, 8)}-${time.slice(8)}-7${count}-${tail.slice(0, 4)}-${tail.slice(4)}`;
  };
}
