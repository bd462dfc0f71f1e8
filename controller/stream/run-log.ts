import { isOver, logBytesOf, type RunRecord } from '../dispatch/run.ts';
import type { Reader } from '../store/reader.ts';

/**
 * The log of a run: the output of its attempts, one after the other. The length of an attempt's output is
 * fixed once the attempt is over, so a byte's place never changes. Bytes that the database lost are
 * filled with NUL.
 */
const MAX_FILL = 64 * 1024;

/** The next bytes from an offset on; null when there are none yet. */
export async function readRunLog(
  reader: Reader,
  run: RunRecord,
  offset: number,
): Promise<Buffer | null> {
  const place = placeOf(run, offset);
  if (place === null) return null;
  const { attempt, from, end } = place;
  const chunks = await reader.log({ run: run.id, attempt, from });
  const parts: Buffer[] = [];
  let at = from;
  for (const { start, data } of chunks) {
    if (start > at) break;
    const fresh = data.subarray(at - start, end - start);
    parts.push(fresh);
    at += fresh.length;
  }
  if (at > from) return Buffer.concat(parts);
  const nextStart = chunks.find(({ start }) => start > at)?.start ?? end;
  return Buffer.alloc(Math.min(MAX_FILL, Math.min(nextStart, end) - at));
}

/** Whether nothing comes after an offset any more. */
export function isLogComplete(run: RunRecord, offset: number): boolean {
  return isOver(run.state) && offset >= logBytesOf(run);
}

function placeOf(run: RunRecord, offset: number) {
  let begin = 0;
  for (const { number, logBytes } of run.attempts) {
    if (offset < begin + logBytes) {
      return { attempt: number, from: offset - begin, end: logBytes };
    }
    begin += logBytes;
  }
  return null;
}
