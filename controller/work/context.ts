import type { Term } from '@understudy/shared/kernel/term';
import type { Clock } from '@understudy/shared/runtime/clock';
import type { Log } from '@understudy/shared/runtime/log';
import type { Moment } from '../dispatch/run.ts';
import type { Failpoints } from '../failpoints.ts';
import type { Committer } from '../store/committer.ts';
import { StoreAwayError } from '../store/reader.ts';
import type { TenureGuard } from '../tenure/guard.ts';

/** What everything that lives in one tenure shares. */
export interface TenureContext {
  readonly pair: string;
  readonly node: string;
  readonly term: Term;
  readonly guard: TenureGuard;
  readonly committer: Committer;
  readonly clock: Clock;
  readonly log: Log;
  readonly failpoints: Failpoints;
  readonly newId: () => string;
}

/** A request waits no longer for its commit; it may be committed later nevertheless. */
const COMMIT_WAIT_MS = 3_000;

export function momentOf({ clock, term }: TenureContext): Moment {
  return { now: Math.round(clock.wallMs()), term };
}

/** Refuses at once what could not be committed. */
export function requireStore({ committer }: TenureContext): void {
  if (committer.isAway) {
    throw new StoreAwayError('the database does not take changes at this moment');
  }
  if (committer.isFull) throw new StoreAwayError('too many changes wait for the database');
}

/** Waits for a commit on behalf of a request, while there is hope for one. */
export async function committed<T>(
  { committer }: Pick<TenureContext, 'committer'>,
  commit: Promise<T>,
  waitMs = COMMIT_WAIT_MS,
): Promise<T> {
  let stopWaiting: () => void = () => undefined;
  const inVain = new Promise<never>((_resolve, reject) => {
    const giveUp = () => {
      reject(new StoreAwayError('the change was not committed in time; it may be later'));
    };
    const limit = setTimeout(giveUp, waitMs);
    const stopListening = committer.onGivenUp(giveUp);
    stopWaiting = () => {
      clearTimeout(limit);
      stopListening();
    };
  });
  try {
    return await Promise.race([commit, inVain]);
  } finally {
    stopWaiting();
  }
}
