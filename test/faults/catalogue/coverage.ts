import type { TitledTest } from './titles.ts';

/** What is known of one fault: the tests that prove it survived, or why there is none. */
export interface Coverage {
  readonly number: number;
  readonly name: string;
  readonly tests: readonly TitledTest[];
  readonly reason: string | null;
  /** What is wrong with this entry; null when it is as it should be. */
  readonly problem: string | null;
}

/** Puts together names, titles and reasons. A fault has tests or a reason, never both, never neither. */
export function coverageOf(
  names: Readonly<Record<number, string>>,
  titles: readonly TitledTest[],
  reasons: Readonly<Record<number, string>>,
): Coverage[] {
  const listed = new Set([
    ...[names, reasons].flatMap((table) => Object.keys(table).map(Number)),
    ...titles.flatMap((each) => each.numbers),
  ]);
  return [...listed]
    .toSorted((a, b) => a - b)
    .map((number) => {
      const tests = titles.filter((each) => each.numbers.includes(number));
      const reason = reasons[number] ?? null;
      const name = names[number] ?? null;
      const problem = problemOf(name, tests.length, reason);
      return { number, name: name ?? 'unknown', tests, reason, problem };
    });
}

function problemOf(name: string | null, tests: number, reason: string | null): string | null {
  if (name === null) return 'no fault has this number';
  if (tests === 0 && reason === null) return 'neither a test nor a reason why there is none';
  if (tests > 0 && reason !== null) return 'covered: take the reason out of not-covered.ts';
  return null;
}

/** For people: one paragraph for each fault, and a summary. */
export function describeCoverage(coverage: readonly Coverage[]): string {
  const lines = coverage.flatMap(({ number, name, tests, reason, problem }) => [
    `F${number} ${name}`,
    ...tests.map(({ file, title }) => `    ${file}: ${title}`),
    ...(reason === null ? [] : [`    not covered: ${reason}`]),
    ...(problem === null ? [] : [`    WRONG: ${problem}`]),
  ]);
  const covered = coverage.filter(({ tests }) => tests.length > 0).length;
  const wrong = coverage.filter(({ problem }) => problem !== null).length;
  const open = coverage.length - covered;
  return [...lines, `${covered} covered, ${open} not covered, ${wrong} wrong`, ''].join('\n');
}
