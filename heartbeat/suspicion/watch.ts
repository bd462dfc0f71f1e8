import type { Term } from '@understudy/shared/kernel/term';
import type { LeaseRow } from '../lease/port.ts';

/**
 * What a passive knows of the lease, on its own monotonic clock (milliseconds). Silence is counted from
 * the receipt of the last *change*, so neither the store's clock nor a holder's can shorten it.
 */
export interface Watch {
  readonly row: LeaseRow | null;
  /** When the row was last received in another state than before. */
  readonly changedAt: number;
  /** When the row was last received at all. */
  readonly readAt: number;
}

export const nothingWatched: Watch = { row: null, changedAt: 0, readAt: 0 };

/** Takes in a row that was received at `receivedAt`. */
export function observe(watch: Watch, row: LeaseRow, receivedAt: number): Watch {
  const changed = watch.row === null || !isSameRow(watch.row, row);
  return { row, changedAt: changed ? receivedAt : watch.changedAt, readAt: receivedAt };
}

/** Starts the observation window again, as after a suspension of this host. */
export function observeAnew(watch: Watch, now: number): Watch {
  return { ...watch, changedAt: now };
}

/** Whether nothing has happened to the lease between the two readings. The timeline is part of it. */
function isSameRow(a: LeaseRow, b: LeaseRow): boolean {
  return (
    a.term === b.term &&
    a.renewSeq === b.renewSeq &&
    a.timeline === b.timeline &&
    a.released === b.released &&
    a.holder?.incarnation === b.holder?.incarnation
  );
}

/** What a passive may do about the lease, and from which evidence. */
export type Judgement =
  | {
      readonly kind: 'claim';
      readonly basis: 'released' | 'testified' | 'forced';
      readonly evidence: string;
    }
  | {
      readonly kind: 'claim';
      readonly basis: 'silence';
      readonly evidence: string;
      /** The silence lasted 3 T: the store's clock must have gone back. */
      readonly evenIfNotExpired: boolean;
    }
  /** Nothing to do before `until`. `suspicious`: renewals are missing, so ask the holder's host. */
  | { readonly kind: 'wait'; readonly until: number; readonly suspicious: boolean };

export interface JudgeOptions {
  readonly ttlMs: number;
  readonly renewEveryMs: number;
  readonly clockRateBound: number;
}

/**
 * Judges the watched lease by grade of evidence (DESIGN.md, "How a passive takes over"). `testifiedTerm`
 * is the highest term for which the holder's host gave binding testimony. A refused connection is no
 * evidence here, on purpose: a live holder may stand behind it.
 */
export function judge(
  watch: Watch,
  testifiedTerm: Term,
  now: number,
  options: JudgeOptions,
): Judgement {
  const { row } = watch;
  if (row === null) return { kind: 'wait', until: Number.POSITIVE_INFINITY, suspicious: false };
  const holder = row.holder?.node ?? 'nobody';
  if (row.released) {
    const who = row.holder === null ? 'nobody ever held it' : `${holder} let it go`;
    return { kind: 'claim', basis: 'released', evidence: `the lease is free: ${who}` };
  }
  if (row.holder !== null && testifiedTerm >= row.term) {
    const evidence = `the host of ${holder} testified that its tenure of term ${row.term} is over`;
    return { kind: 'claim', basis: 'testified', evidence };
  }
  // Nodes may disagree about T: the larger one counts.
  const ttlMs = Math.max(row.ttlMs, options.ttlMs) * (1 + options.clockRateBound);
  const silentForMs = now - watch.changedAt;
  if (silentForMs < ttlMs) {
    return {
      kind: 'wait',
      until: watch.changedAt + ttlMs,
      suspicious: silentForMs >= 2 * options.renewEveryMs,
    };
  }
  return {
    kind: 'claim',
    basis: 'silence',
    evidence: `no renewal of term ${row.term} by ${holder} for ${Math.round(silentForMs)} ms`,
    evenIfNotExpired: silentForMs >= 3 * ttlMs,
  };
}
