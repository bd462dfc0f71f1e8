import type { Sent } from './load.ts';

/** A run as the controller lists it, as far as it matters here. */
export interface ListedRun {
  readonly id: string;
  readonly state: string;
  readonly attempts: readonly unknown[];
}

/** How the requests of a load went, and what became of the runs that they asked for. */
export interface LoadVerdict {
  readonly failed: number;
  readonly longestMs: number;
  readonly complaints: readonly string[];
}

/** So many failed requests are told one by one. */
const TOLD = 5;

/** Judges a load by its answers and by the list of all runs of its job, read after all of them were over. */
export function judgeLoad(sent: readonly Sent[], listed: readonly ListedRun[]): LoadVerdict {
  const failed = sent.filter((each) => !isGood(each));
  const complaints = failed.slice(0, TOLD).map(tellFailure);
  if (failed.length > TOLD) complaints.push(`${failed.length - TOLD} further requests failed`);
  return {
    failed: failed.length,
    longestMs: Math.max(0, ...sent.map((each) => each.tookMs)),
    complaints: [...complaints, ...judgeRuns(sent, listed)],
  };
}

/** Whether it was answered with success. */
export function isGood({ answer }: Pick<Sent, 'answer'>): boolean {
  return answer.kind === 'answered' && answer.status >= 200 && answer.status < 300;
}

function judgeRuns(sent: readonly Sent[], listed: readonly ListedRun[]): string[] {
  const found: string[] = [];
  const runsOfKey = new Map<string, Set<string>>();
  const accepted = new Set<string>();
  for (const each of sent) {
    if (!startsRun(each) || !isGood(each)) continue;
    const id = idOf(each);
    accepted.add(id);
    if (each.key === null) continue;
    runsOfKey.set(each.key, (runsOfKey.get(each.key) ?? new Set()).add(id));
  }
  for (const [key, ids] of runsOfKey) {
    if (ids.size > 1) found.push(`doubled: key ${key} started ${[...ids].join(' and ')}`);
  }
  const byId = new Map(listed.map((run) => [run.id, run]));
  for (const id of accepted) {
    const run = byId.get(id);
    if (run === undefined) found.push(`lost: ${id} was accepted and is not there`);
    else if (run.state !== 'succeeded') found.push(`lost: ${id} is ${run.state}`);
    else if (run.attempts.length !== 1) {
      found.push(`doubled: ${id} was tried ${run.attempts.length} times`);
    }
  }
  // A request that failed may have started its run all the same, nobody else's may.
  const unknown = listed.filter((run) => !accepted.has(run.id)).length;
  const perhaps = sent.filter((each) => startsRun(each) && !isGood(each)).length;
  if (unknown > perhaps) found.push(`doubled: ${unknown - perhaps} runs that nobody asked for`);
  return found;
}

function startsRun({ wish }: Sent): boolean {
  return wish === 'run' || wish === 'run-once';
}

function idOf({ answer }: Sent): string {
  if (answer.kind !== 'answered') return '';
  const body: unknown = JSON.parse(answer.body);
  const isRun = typeof body === 'object' && body !== null && 'id' in body;
  return isRun && typeof body.id === 'string' ? body.id : '';
}

function tellFailure({ wish, isKeptAlive, answer, sentAt, tookMs }: Sent): string {
  const over = isKeptAlive ? 'kept' : 'new';
  const how = answer.kind === 'answered' ? `${answer.status} ${answer.body}` : answer.why;
  const at = new Date(sentAt).toISOString();
  return `failed: ${wish} of ${at} over a ${over} connection after ${Math.round(tookMs)} ms: ${how}`;
}
