import { table } from '../../cli/output.ts';

/** One thing that was measured, over all rounds. */
export interface Figure {
  /** Which measure it belongs to, for instance `bulk`. */
  readonly measure: string;
  readonly title: string;
  readonly unit: string;
  readonly values: readonly number[];
  readonly target?: Target | undefined;
}

export interface Target {
  readonly atLeast?: number;
  readonly atMost?: number;
}

export interface FigureSummary extends Omit<Figure, 'values'> {
  readonly times: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly reached: boolean | null;
}

export function summarise({ values, ...figure }: Figure): FigureSummary {
  const middle = quantile(values, 0.5);
  const { atLeast, atMost } = figure.target ?? {};
  const isReached =
    (atLeast === undefined || middle >= atLeast) && (atMost === undefined || middle <= atMost);
  return {
    ...figure,
    times: values.length,
    median: round(middle),
    min: round(Math.min(...values)),
    max: round(Math.max(...values)),
    reached: figure.target === undefined || values.length === 0 ? null : isReached,
  };
}

/** The value below which this part of all values lies. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * part;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  if (low === undefined || high === undefined) return Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** All figures for people. */
export function figureTable(figures: readonly Figure[]): string {
  return table(
    ['MEASURED', 'TIMES', 'MEDIAN', 'MIN', 'MAX', 'UNIT', 'TARGET', ''],
    figures.map((figure) => {
      const { title, times, median, min, max, unit, target, reached } = summarise(figure);
      const shown = [median, min, max].map((value) => value.toLocaleString('en'));
      const verdict = reached === null ? '' : reached ? 'reached' : 'BELOW';
      return [title, `${times}`, ...shown, unit, showTarget(target), verdict];
    }),
  );
}

function showTarget(target: Target | undefined): string {
  if (target?.atLeast !== undefined) return `>= ${target.atLeast.toLocaleString('en')}`;
  return target?.atMost === undefined ? '' : `<= ${target.atMost.toLocaleString('en')}`;
}

function round(value: number): number {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return Number(value.toFixed(digits));
}
