import type { Report } from '@understudy/shared/protocol/agent';
import { type Attempt, type AttemptEvent, attemptId, type End } from '../attempt/attempt.ts';
import { type Due, dueOf } from '../attempt/due.ts';
import { heldBack } from '../attempt/held-back.ts';
import type { DataFolder } from '../spool/folder.ts';
import { logPath, readLog } from '../spool/log-file.ts';
import type { Ledger, Refused } from './ledger.ts';
import type { Runner } from './runner.ts';

/** A report, and what its acknowledgement means. */
export interface Item {
  readonly report: Report;
  readonly acknowledged:
    | { readonly type: 'refusal'; readonly refused: Refused }
    | {
        readonly type: 'event';
        readonly key: Attempt;
        readonly event: Exclude<AttemptEvent, { type: 'journalled' }>;
      };
}

export interface BatchSource {
  readonly ledger: Ledger;
  readonly runner: Runner;
  readonly folder: DataFolder;
  readonly nowMs: () => number;
}

/** What is left out of a batch, by the names of attempts: nothing of an attempt overtakes what precedes it. */
export type UnderWay = ReadonlySet<string>;

export interface BatchManner {
  /** Moves the attempt that comes first, so that a chatty one can't starve the others. */
  readonly turn: number;
  readonly underWay: UnderWay;
  /** An attempt is looked at: it belongs to this batch from now on. */
  readonly take: (id: string) => void;
}

/** A batch holds no more than this, so that memory stays bounded whatever waits on disk. */
const maxItems = 1_000;
const maxLogBytes = 512 * 1024;
const maxChunkBytes = 128 * 1024;

/** The next batch of what a controller has yet to learn: of each attempt in its order, of all attempts in turn. */
export async function nextBatch(source: BatchSource, manner: BatchManner): Promise<Item[]> {
  const { ledger, runner, nowMs } = source;
  const { turn, underWay, take } = manner;
  const items: Item[] = [];
  for (const refused of ledger.refusals()) {
    if (items.length >= maxItems) break;
    if (underWay.has(attemptId(refused))) continue;
    take(attemptId(refused));
    items.push(refusalItem(refused));
  }
  const attempts = ledger.reportable();
  let budget = maxLogBytes;
  for (let index = 0; index < attempts.length; index += 1) {
    if (items.length >= maxItems || budget <= 0) break;
    const attempt = attempts[(index + turn) % attempts.length];
    if (attempt === undefined) continue;
    const id = attemptId(attempt);
    // What came of it since is due in the next batch.
    if (underWay.has(id) || ledger.get(id) !== attempt || runner.isUnwanted(id)) continue;
    const due = dueOf(attempt, runner.written(id), nowMs());
    if (due === null) continue;
    take(id);
    budget -= await addAttempt(items, { attempt, due }, budget, source);
  }
  return items;
}

/** Whether so many ends wait that are not under way. */
export function isMuchDue({ ledger }: BatchSource, underWay: UnderWay, much: number): boolean {
  let count = 0;
  for (const attempt of ledger.reportable()) {
    if (attempt.end !== null && !underWay.has(attemptId(attempt))) count += 1;
    if (count >= much) return true;
  }
  return false;
}

async function addAttempt(
  items: Item[],
  { attempt, due }: { readonly attempt: Attempt; readonly due: Due },
  budget: number,
  source: BatchSource,
): Promise<number> {
  const id = attemptId(attempt);
  if (due.start !== null) items.push(startItem(attempt, due.start, source.nowMs()));
  let from = due.log?.from ?? 0;
  const to = due.log?.to ?? 0;
  let used = 0;
  while (from < to && used < budget) {
    const piece = await chunk(attempt, from, Math.min(maxChunkBytes, to - from), source);
    const data = piece.subarray(0, piece.length - heldBack(piece, source.runner.secrets(id)));
    // It may be the beginning of a secret: what follows tells.
    if (data.length === 0) break;
    items.push(logItem(attempt, from, data));
    from += data.length;
    used += data.length;
  }
  if (from >= to && due.end !== null) items.push(endItem(attempt, due.end, source.nowMs()));
  return used;
}

/**
 * Reads a piece of the output. A run may have shortened its own output after it was measured: what is
 * missing then is filled with NUL, because the end is stored only after all bytes are there.
 */
async function chunk(
  attempt: Attempt,
  from: number,
  length: number,
  source: BatchSource,
): Promise<Buffer> {
  const data = await readLog(logPath(source.folder.logs, attemptId(attempt)), from, length);
  return data.length > 0 ? data : Buffer.alloc(length);
}

function startItem(attempt: Attempt, start: { atMs: number; pid: number }, nowMs: number): Item {
  return item(
    attempt,
    { type: 'started', ...keyOf(attempt), agoMs: ago(start.atMs, nowMs), pid: start.pid },
    { type: 'start-acknowledged' },
  );
}

function logItem(attempt: Attempt, offset: number, data: Buffer): Item {
  return item(
    attempt,
    { type: 'log', ...keyOf(attempt), offset, data: data.toString('base64') },
    { type: 'log-acknowledged', upTo: offset + data.length },
  );
}

function endItem(attempt: Attempt, end: End, nowMs: number): Item {
  const { atMs, ...facts } = end;
  return item(
    attempt,
    { type: 'ended', ...keyOf(attempt), agoMs: ago(atMs, nowMs), ...facts },
    { type: 'end-acknowledged' },
  );
}

function refusalItem(refused: Refused): Item {
  const { run, attempt, reason } = refused;
  return {
    report: { type: 'refused', run, attempt, reason },
    acknowledged: { type: 'refusal', refused },
  };
}

function item(
  key: Attempt,
  report: Report,
  event: Exclude<AttemptEvent, { type: 'journalled' }>,
): Item {
  return { report, acknowledged: { type: 'event', key, event } };
}

function keyOf(attempt: Attempt): { run: string; attempt: number } {
  return { run: attempt.run, attempt: attempt.attempt };
}

function ago(atMs: number, nowMs: number): number {
  return Math.max(0, nowMs - atMs);
}
