import { groupBy } from '../group-by.ts';
import { isTerminal } from './store.ts';

/** The line that a job of a test appends before it works: the proof that it was started. */
export interface StartLine {
  readonly run: string;
  readonly attempt: number;
  readonly pid: number;
}

/** Reads start lines: `run attempt pid`, one a line. */
export function parseStartLines(text: string): StartLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [run = '', attempt, pid] = line.split(' ');
      return { run, attempt: Number(attempt), pid: Number(pid) };
    });
}

/** I5: an at-most-once run was started once at most, and so was each attempt of any run. */
export function doubleStarts(
  lines: readonly StartLine[],
  isAtMostOnce: (run: string) => boolean,
): string[] {
  const attempts = groupBy(lines, (line) => `${line.run} attempt ${line.attempt}`);
  const runs = groupBy(
    lines.filter((line) => isAtMostOnce(line.run)),
    (line) => line.run,
  );
  return [...often(attempts), ...often(runs)];
}

function often(groups: Map<string, readonly StartLine[]>): string[] {
  return [...groups].flatMap(([what, lines]) =>
    lines.length === 1 ? [] : [`I5: ${what} was started as ${lines.map((l) => l.pid).join(', ')}`],
  );
}

/** I6: each run whose request was answered 2xx exists, and is over. */
export function unfinished(
  acknowledged: readonly string[],
  finalStates: ReadonlyMap<string, string>,
): string[] {
  return acknowledged.flatMap((run) => {
    const state = finalStates.get(run);
    if (state === undefined) return [`I6: run ${run} was acknowledged and does not exist`];
    return isTerminal(state) ? [] : [`I6: run ${run} was acknowledged and is still ${state}`];
  });
}
