import { formatTerm } from '@understudy/shared/kernel/term';
import type { RunStep } from '@understudy/shared/protocol/api';
import { causeOf } from '../dispatch/after.ts';
import { type AttemptRecord, isOver, type RunRecord } from '../dispatch/run.ts';
import type { EventKind, EventRecord } from '../store/records.ts';

/** What of a run's events its own record does not tell. */
const TOLD_BY_EVENTS: readonly EventKind[] = ['run-late', 'run-cancel-asked', 'late-report'];

type Step = Omit<RunStep, 'at'> & { readonly at: number };

/** What became of a run: who ordered it, where and under which term it was tried, what was reported when. */
export function historyOf(run: RunRecord, events: readonly EventRecord[]): RunStep[] {
  const steps = [
    createdStep(run),
    ...run.attempts.flatMap(attemptSteps),
    ...events.filter(({ kind }) => TOLD_BY_EVENTS.includes(kind)).map(eventStep),
    ...endSteps(run),
  ];
  return steps
    .toSorted((a, b) => a.at - b.at)
    .map((step) => ({ ...step, at: new Date(step.at).toISOString() }));
}

function createdStep(run: RunRecord): Step {
  const { orderedBy, retryOf, scheduledFor, target } = run;
  const by = orderedBy === null ? 'made' : `ordered by ${orderedBy}`;
  const cause = causeOf(run.idempotencyKey);
  const more = [
    scheduledFor === null ? null : `for ${new Date(scheduledFor).toISOString()}`,
    retryOf === null ? null : `repeats run ${retryOf}`,
    cause === null ? null : `follows run ${cause}`,
    target === null ? null : `for agent ${target} only`,
  ].filter((each) => each !== null);
  const message = [by, ...more].join(', ');
  return { at: run.createdAt, term: null, what: 'created', attempt: null, agent: null, message };
}

function attemptSteps(attempt: AttemptRecord): Step[] {
  const { agent, number, orderedAt, startedAt, finishedAt, orderedTerm } = attempt;
  const term = formatTerm(orderedTerm);
  const of = { attempt: number, agent };
  const steps: Step[] = [
    { ...of, at: orderedAt, term, what: 'ordered', message: `attempt ${number} goes to ${agent}` },
  ];
  if (startedAt !== null) {
    steps.push({
      ...of,
      at: startedAt,
      term: null,
      what: 'started',
      message: `${agent} started it`,
    });
  }
  if (finishedAt !== null) {
    const why = attempt.reason === null ? '' : `: ${attempt.reason}`;
    const message = `attempt ${number} is ${attempt.state}${why}`;
    steps.push({ ...of, at: finishedAt, term: null, what: 'attempt-ended', message });
  }
  return steps;
}

function eventStep({ at, term, kind, message }: EventRecord): Step {
  return { at, term: formatTerm(term), what: kind, attempt: null, agent: null, message };
}

function endSteps(run: RunRecord): Step[] {
  const { finishedAt, state, reason, agent, term } = run;
  if (finishedAt === null || !isOver(state)) return [];
  const message = `the run is ${state}${reason === null ? '' : `: ${reason}`}`;
  return [{ at: finishedAt, term: formatTerm(term), what: state, attempt: null, agent, message }];
}
