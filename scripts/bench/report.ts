import { table } from '../cli/output.ts';
import { median } from './median.ts';

/** One measure over all rounds, beside what was promised. */
export interface Figure {
  readonly scenario: string;
  readonly measure: string;
  readonly title: string;
  readonly unit: 'ms' | 'requests';
  readonly values: readonly number[];
  /** Null: nothing is promised, it is only shown. */
  readonly most: number | null;
}

export interface FigureSummary {
  readonly scenario: string;
  readonly measure: string;
  readonly times: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly promised: number | null;
  readonly kept: boolean;
}

export function summarise({ scenario, measure, values, most }: Figure): FigureSummary {
  return {
    ...{ scenario, measure },
    times: values.length,
    median: median(values),
    min: Math.min(...values),
    max: Math.max(...values),
    promised: most,
    kept: isKept({ values, most }),
  };
}

/** No round above what was promised; one that gave no figure, or no round at all, keeps no promise. */
export function isKept({ values, most }: Pick<Figure, 'values' | 'most'>): boolean {
  const limit = most ?? Number.MAX_VALUE;
  return values.length > 0 && values.every((value) => value <= limit);
}

/** All figures for people. */
export function figureTable(figures: readonly Figure[]): string {
  return table(
    ['MEASURED', 'TIMES', 'MEDIAN', 'MIN', 'MAX', 'PROMISED', ''],
    figures.map((figure) => {
      const { times, median: middle, min, max, promised, kept } = summarise(figure);
      const shown = (value: number | null) => {
        if (value === null) return '-';
        return figure.unit === 'ms' ? `${value} ms` : `${value}`;
      };
      return [
        ...[figure.title, `${times}`],
        ...[middle, min, max, promised].map(shown),
        verdictOf(promised, kept),
      ];
    }),
  );
}

function verdictOf(promised: number | null, kept: boolean): string {
  if (!kept) return 'BROKEN';
  return promised === null ? '' : 'kept';
}
