import { groupBy } from '../../support/group-by.ts';
import type { StormHistory } from './history.ts';
import type { StepReport } from './steps.ts';

/** What was done and what came of it, as lines for people. */
export function summarise(
  history: StormHistory,
  steps: readonly StepReport[],
  seconds: number,
): string[] {
  const { asked, accepted, runs, attempts, chunks, followed } = history;
  const keyed = accepted.filter(({ isKeyed }) => isKeyed).length;
  const bytes = chunks.reduce((sum, { data }) => sum + data.length, 0);
  const again = attempts.length - runs.length;
  return [
    ...steps.map(describeStep),
    `${asked.length} runs asked for in ${Math.round(seconds)} s, ` +
      `${(asked.length / seconds).toFixed(0)} a second; ${accepted.length} accepted, ${keyed} of ` +
      `them with a key`,
    unkeyedLine(history),
    `${runs.length} runs: ${counts(runs.map(({ state }) => state))}; ${again} further attempts`,
    ...reasonLines(history),
    `${bytes.toLocaleString('en')} bytes of output in ${chunks.length} pieces, ` +
      `${followed.size} runs followed`,
  ];
}

function describeStep({ kind, target, interruptionMs, settledMs, rate }: StepReport): string {
  return (
    `${kind} ${target}: no run accepted for ${interruptionMs} ms, whole after ${settledMs} ms, ` +
    `then ${rate.toFixed(0)} runs a second accepted`
  );
}

/** Of requests without a key that were not answered nobody can know: some of them were made into runs. */
function unkeyedLine({ asked, accepted, runs }: StormHistory): string {
  const sent = asked.filter(({ isKeyed }) => !isKeyed).length;
  const answered = accepted.filter(({ isKeyed }) => !isKeyed).length;
  const made = runs.filter(({ key }) => key === null).length;
  return (
    `without a key: ${sent} sent, ${answered} accepted, ${sent - answered} not answered, ` +
    `of which ${made - answered} were made into runs`
  );
}

/** Why runs and attempts did not succeed, without what differs from one to the other. */
function reasonLines({ runs, attempts }: StormHistory): string[] {
  const ofRuns = runs.filter(({ state }) => state !== 'succeeded');
  const tried = attempts.filter(({ state }) => state !== 'succeeded');
  return [...reasons('run', ofRuns), ...reasons('attempt', tried)];
}

function reasons(
  what: string,
  items: readonly { readonly state: string; readonly reason: string | null }[],
): string[] {
  const groups = groupBy(items, ({ state, reason }) => `${state}: ${reason}`);
  return [...groups].map(([why, all]) => `${all.length} times: ${what} ${why}`);
}

function counts(states: readonly string[]): string {
  const groups = groupBy(states, (state) => state);
  return [...groups].map(([state, all]) => `${all.length} ${state}`).join(', ');
}
