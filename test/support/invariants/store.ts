/**
 * Invariants over what the database committed, in commit order (from logical decoding, never from
 * ids or timestamps). Each function returns the violations that it found, as sentences.
 */

/** A change of a row that is stamped with the term under which it was made. */
export interface StampedChange {
  readonly table: string;
  readonly term: bigint;
  /** A change of the lease or the fence: from here on, this term is granted. */
  readonly grants: boolean;
}

/** I1: no change carries a term lower than a term that was granted before it. */
export function staleChanges(changes: readonly StampedChange[]): string[] {
  const found: string[] = [];
  let granted = 0n;
  for (const [index, change] of changes.entries()) {
    if (change.term < granted) {
      const what = `change ${index} of ${change.table} carries term ${change.term}`;
      found.push(`I1: ${what} after term ${granted} was granted`);
    }
    if (change.grants && change.term > granted) granted = change.term;
  }
  return found;
}

export interface LeaseVersion {
  readonly term: bigint;
  readonly node: string;
  readonly incarnation: string;
  readonly renewSeq: bigint;
  readonly released: boolean;
  /** Milliseconds of the store's own clock. */
  readonly expiresAtMs: number;
  readonly ttlMs: number;
  /** How often the holder has revived its own lease in this term. */
  readonly revivals: number;
}

/** I3: terms strictly rise in the order of grants, and each belongs to one life of one node. */
export function grantFaults(versions: readonly LeaseVersion[]): string[] {
  const found: string[] = [];
  const owners = new Map<bigint, string>();
  let highest = 0n;
  for (const { term, node, incarnation } of versions) {
    const owner = `${node}/${incarnation}`;
    const known = owners.get(term);
    if (known === undefined && term <= highest) {
      found.push(`I3: term ${term} was granted after term ${highest}`);
    }
    if (known !== undefined && known !== owner) {
      found.push(`I3: term ${term} belongs to ${known} and to ${owner}`);
    }
    owners.set(term, known ?? owner);
    if (term > highest) highest = term;
  }
  return found;
}

/**
 * I4: within a term each renewal counts one up, before expiry unless the holder, in failsafe, revived its own
 * lease, and a release is final.
 */
export function leaseRowFaults(versions: readonly LeaseVersion[], toleranceMs = 0): string[] {
  return versions.slice(1).flatMap((next, index) => {
    const last = versions[index];
    if (last === undefined || next.term !== last.term) return [];
    return stepFaults(last, next, toleranceMs).map((what) => `I4: in term ${next.term} ${what}`);
  });
}

function stepFaults(last: LeaseVersion, next: LeaseVersion, toleranceMs: number): string[] {
  const found: string[] = [];
  const step = next.renewSeq - last.renewSeq;
  if (step !== 0n && step !== 1n) {
    found.push(`renewal ${last.renewSeq} is followed by ${next.renewSeq}`);
  }
  if (last.released && !next.released) found.push('a released lease came back');
  const renewedAt = next.expiresAtMs - next.ttlMs;
  const isRevival = next.revivals === last.revivals + 1;
  if (step === 1n && !next.released && !isRevival && renewedAt > last.expiresAtMs + toleranceMs) {
    found.push(`the lease was renewed ${renewedAt - last.expiresAtMs} ms after it had expired`);
  }
  return found;
}

export interface RunVersion {
  readonly run: string;
  readonly state: string;
  /** The number of its last attempt so far; 0 before the first. */
  readonly attempt: number;
}

const terminal = new Set(['succeeded', 'failed', 'timed-out', 'cancelled', 'lost', 'skipped']);
const order = ['queued', 'dispatched', 'running'];

/** Whether a run in this state is over for good. */
export function isTerminal(state: string): boolean {
  return terminal.has(state);
}

/** I7: a run moves forward, steps back only for another attempt, and stays where it ended. */
export function runStateFaults(versions: readonly RunVersion[]): string[] {
  const found: string[] = [];
  const latest = new Map<string, RunVersion>();
  for (const next of versions) {
    const { run, state } = next;
    const last = latest.get(run);
    if (!isTerminal(state) && !order.includes(state)) {
      found.push(`I7: run ${run} is in the unknown state ${state}`);
    } else if (last !== undefined && last.state !== state && !mayFollow(last, next)) {
      found.push(`I7: run ${run} went from ${last.state} to ${state}`);
    }
    latest.set(run, next);
  }
  return found;
}

function mayFollow(last: RunVersion, next: RunVersion): boolean {
  if (isTerminal(last.state)) return false;
  // Changes that are committed together leave one row: the pause in `queued` may not be seen.
  if (isTerminal(next.state) || next.state === 'queued' || next.attempt > last.attempt) return true;
  return order.indexOf(next.state) > order.indexOf(last.state);
}
