import { groupBy } from '../../support/group-by.ts';
import { isTerminal } from '../../support/invariants/store.ts';
import { doubleStarts, unfinished } from '../../support/invariants/work.ts';
import { type AttemptFact, attemptKey, type StormHistory } from './history.ts';
import { type StoredOutput, storedOutputs } from './stored.ts';
import { isAtMostOnce, linesUntil } from './work.ts';

/** What a storm must not have done to the work. Each finding is a sentence; none: all is well. */
export function judgeStorm(history: StormHistory): string[] {
  const outputs = storedOutputs(history.chunks);
  return [
    ...endFaults(history),
    ...ticketFaults(history),
    ...startFaults(history),
    ...lossFaults(history),
    ...outputFaults(history, outputs),
    ...followerFaults(history, outputs),
  ];
}

/** Every accepted run is over, and its end was told once. */
function endFaults({ accepted, runs, attempts }: StormHistory): string[] {
  const states = new Map(runs.map(({ id, state }) => [id, state]));
  return [
    ...unfinished(
      accepted.map(({ run }) => run),
      states,
    ),
    ...runs.flatMap(({ id, state, ends }) =>
      isTerminal(state) && ends !== 1 ? [`I6: the end of run ${id} was told ${ends} times`] : [],
    ),
    ...attempts.flatMap(({ run, number, state }) =>
      isTerminal(state) ? [] : [`I7: attempt ${number} of run ${run} is ${state} for good`],
    ),
  ];
}

/** One run for each ticket at most, the one that was answered; and none that nobody asked for. */
function ticketFaults({ asked, accepted, runs }: StormHistory): string[] {
  const tickets = new Map(asked.map((one) => [one.ticket, one]));
  const answered = new Map(accepted.map(({ ticket, run }) => [ticket, run]));
  const byTicket = groupBy(runs, ({ ticket }) => ticket);
  return [...byTicket].flatMap(([ticket, [first, ...more]]) => {
    const one = tickets.get(ticket);
    const told = answered.get(ticket);
    if (one === undefined || first === undefined) return [`I6: nobody asked for ${ticket}`];
    if (more.length > 0) return [`I6: ${ticket} was made into ${more.length + 1} runs`];
    if (told !== undefined && told !== first.id) {
      return [`I6: the run of ${ticket} is ${first.id}, its user was told ${told}`];
    }
    const key = one.isKeyed ? ticket : null;
    return first.key === key && first.job === one.job
      ? []
      : [`I6: the run of ${ticket} is one of ${first.job} under the key ${first.key}`];
  });
}

/** I5, and: what is said to have never started has not, what is said to have succeeded has. */
function startFaults({ runs, attempts, starts }: StormHistory): string[] {
  const jobs = new Map(runs.map(({ id, job }) => [id, job]));
  const known = new Map(attempts.map((each) => [attemptKey(each.run, each.number), each]));
  const started = new Set(starts.map(({ run, attempt }) => attemptKey(run, attempt)));
  return [
    ...doubleStarts(starts, (run) => isAtMostOnce(jobs.get(run) ?? '')),
    ...[...started].flatMap((key) => {
      const attempt = known.get(key);
      if (attempt === undefined) return [`I5: ${key} was started, and nobody knows of it`];
      return wasNeverStarted(attempt) ? [`I5: ${key} was started, and called not started`] : [];
    }),
    ...[...known].flatMap(([key, { state }]) =>
      state === 'succeeded' && !started.has(key)
        ? [`I5: ${key} succeeded, and was not started`]
        : [],
    ),
  ];
}

/** A run succeeds, but for an at-most-once run that ran on an agent which was killed. */
function lossFaults({ runs, killedAgents }: StormHistory): string[] {
  return runs
    .filter(({ state }) => isTerminal(state) && state !== 'succeeded')
    .filter(({ job, state, agent }) => {
      const mayBeLost = isAtMostOnce(job) && agent !== null && killedAgents.has(agent);
      return !(mayBeLost && state === 'lost');
    })
    .map(({ id, job, state, agent, reason }) => {
      return `I6: run ${id} of ${job} on ${agent} is ${state}: ${reason}`;
    });
}

/** Every byte that an attempt has written is stored, once and in its place. */
function outputFaults(
  { attempts, accepted, written }: StormHistory,
  outputs: ReadonlyMap<string, StoredOutput>,
): string[] {
  const lines = new Map(accepted.map((one) => [one.run, one.lines]));
  const known = new Set(attempts.map(({ run, number }) => attemptKey(run, number)));
  const nobodys = [...outputs.keys()].filter((key) => !known.has(key));
  return [
    ...nobodys.map((key) => `I6: output of ${key} is stored, and nobody knows of it`),
    ...attempts.flatMap((attempt) => {
      const key = attemptKey(attempt.run, attempt.number);
      const stored = outputs.get(key) ?? { bytes: Buffer.alloc(0), problem: null };
      const problem =
        stored.problem ??
        outputProblem(attempt, stored.bytes, {
          planned: lines.get(attempt.run) ?? null,
          written: written.get(key) ?? 0,
        });
      return problem === null ? [] : [`I6: output of ${key} (${attempt.state}): ${problem}`];
    }),
  ];
}

interface Lines {
  /** Null: nobody was told of the run. */
  readonly planned: number | null;
  /** That it says it has written. It may have written one more. */
  readonly written: number;
}

function outputProblem(
  attempt: AttemptFact,
  bytes: Buffer,
  { planned, written }: Lines,
): string | null {
  const { run, number, state, logBytes } = attempt;
  if (bytes.length !== logBytes) return `${bytes.length} bytes are stored, counted are ${logBytes}`;
  const most = linesUntil(run, number, Math.max(planned ?? 0, written + 1));
  const text = bytes.toString('latin1');
  if (!most.startsWith(text)) return `it is not what was written: ${firstDifference(bytes, most)}`;
  const lines = text.split('\n').length - 1;
  if (text !== '' && !text.endsWith('\n')) return `line ${lines + 1} is stored in part`;
  const wanted = state === 'succeeded' ? (planned ?? written) : null;
  if (wanted !== null) return lines === wanted ? null : `${lines} of ${wanted} lines are stored`;
  return lines === written || lines === written + 1
    ? null
    : `${lines} lines are stored, ${written} were written`;
}

function firstDifference(bytes: Buffer, wanted: string): string {
  const found = bytes.toString('latin1');
  let at = 0;
  while (at < found.length && found[at] === wanted[at]) at += 1;
  return `byte ${at} begins ${JSON.stringify(found.slice(at, at + 60))}`;
}

/** Who followed a run was given what is stored of it: all attempts, one after the other. */
function followerFaults(
  { attempts, followed }: StormHistory,
  outputs: ReadonlyMap<string, StoredOutput>,
): string[] {
  const ofRun = groupBy(attempts, ({ run }) => run);
  return [...followed].flatMap(([run, given]) => {
    const tried = (ofRun.get(run) ?? []).toSorted((a, b) => a.number - b.number);
    const parts = tried.map(({ number }) => outputs.get(attemptKey(run, number))?.bytes);
    const stored = Buffer.concat(parts.filter((part) => part !== undefined));
    if (stored.equals(given)) return [];
    const where = firstDifference(given, stored.toString('latin1'));
    return [`I6: a follower of run ${run} got ${given.length} of ${stored.length} bytes: ${where}`];
  });
}

function wasNeverStarted({ reason }: AttemptFact): boolean {
  return reason?.startsWith('not started:') ?? false;
}
