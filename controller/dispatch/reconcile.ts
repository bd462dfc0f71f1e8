import { type Moment, openAttempt, type RunRecord } from './run.ts';
import { loseAttempt, refuseAttempt } from './transitions.ts';

/** An attempt that an agent says it runs, or whose end it has still to report. */
export interface Told {
  readonly run: string;
  readonly attempt: number;
  readonly state: 'running' | 'ended';
}

export interface Registration {
  readonly agent: string;
  readonly attempts: readonly Told[];
  /** Its journal is the one that it had before: what is not in it was never started. */
  readonly isSameJournal: boolean;
  /** The runs that are thought to be under way on it. */
  readonly open: readonly RunRecord[];
  /** Attempts that were decided on, and whose order was not sent yet. */
  readonly isOrderPending: (run: RunRecord) => boolean;
}

/**
 * What becomes of the runs that an agent was thought to run, and does not know. If its journal is the one
 * that it had when the order was given, the order never arrived and never will: the run goes back to the
 * queue, in either delivery class. Else nobody can know whether it ran.
 */
export function judgeUnknown(registration: Registration, moment: Moment): RunRecord[] {
  const { agent, attempts, isSameJournal, open, isOrderPending } = registration;
  const told = new Set(attempts.map(({ run, attempt }) => `${run}.${attempt}`));
  return open
    .filter((run) => !told.has(`${run.id}.${openAttempt(run)?.number}`))
    .filter((run) => !isOrderPending(run))
    .map((run) =>
      isSameJournal && openAttempt(run)?.state === 'dispatched'
        ? refuseAttempt(run, `the order never reached agent ${agent}`, moment)
        : loseAttempt(run, `agent ${agent} does not know this attempt`, moment),
    );
}

/** What an agent runs, and is not wanted: the run is over, or another attempt of it counts. */
export function unwantedOf(
  attempts: readonly Told[],
  openRun: (id: string) => RunRecord | null,
): { run: string; attempt: number }[] {
  return attempts
    .filter(({ run, attempt, state }) => {
      const open = openRun(run);
      return state === 'running' && (open === null || openAttempt(open)?.number !== attempt);
    })
    .map(({ run, attempt }) => ({ run, attempt }));
}
