import { groupBy } from '../../support/group-by.ts';
import { attemptKey, type ChunkFact } from './history.ts';

/** The output of an attempt, put together from its pieces. */
export interface StoredOutput {
  readonly bytes: Buffer;
  /** What is wrong with the pieces; null: each begins where the one before it ends. */
  readonly problem: string | null;
}

/** By `run attempt`. The pieces of each come in their order. */
export function storedOutputs(chunks: readonly ChunkFact[]): Map<string, StoredOutput> {
  const groups = groupBy(chunks, ({ run, attempt }) => attemptKey(run, attempt));
  return new Map([...groups].map(([key, pieces]) => [key, together(pieces)]));
}

function together(pieces: readonly ChunkFact[]): StoredOutput {
  let problem: string | null = null;
  let end = 0;
  for (const { start, data } of pieces) {
    if (start !== end) problem ??= `a piece begins at byte ${start}, after byte ${end}`;
    end = start + data.length;
  }
  return { bytes: Buffer.concat(pieces.map(({ data }) => data)), problem };
}
