import { table } from '../../cli/output.ts';
import { median } from '../median.ts';
import type { Figure } from '../report.ts';
import type { RivalFigure } from './measure.ts';
import type { RivalFault } from './rival.ts';

/** A rival's figure beside ours of the same run. */
export interface Compared {
  readonly rival: string;
  readonly fault: RivalFault;
  readonly times: number;
  readonly median: number;
  readonly min: number;
  readonly max: number;
  /** Our own median; null: it was not measured in this run. */
  readonly ours: number | null;
  /** So many times as long as ours. */
  readonly ratio: number | null;
}

/** Which of our scenarios does the same. */
const ours: Readonly<Record<RivalFault, string>> = {
  crash: 'kill-controller',
  'host-loss': 'lose-host',
};

export function compare(rival: RivalFigure, figures: readonly Figure[]): Compared {
  const own = figures.find((figure) => figure.scenario === ours[rival.fault]);
  const [theirMedian, ownMedian] = [median(rival.values), own ? median(own.values) : null];
  return {
    ...{ rival: rival.rival, fault: rival.fault, times: rival.values.length },
    median: theirMedian,
    min: Math.min(...rival.values),
    max: Math.max(...rival.values),
    ours: ownMedian,
    ratio: ownMedian === null ? null : Math.round((theirMedian / ownMedian) * 100) / 100,
  };
}

/** All comparisons for people. */
export function rivalTable(rivals: readonly RivalFigure[], figures: readonly Figure[]): string {
  return table(
    ['RIVAL', 'FAULT', 'TIMES', 'MEDIAN', 'MIN', 'MAX', 'OURS', 'RATIO'],
    rivals.map((rival) => {
      const compared = compare(rival, figures);
      const { fault, times, min, max } = compared;
      return [
        ...[rival.title, fault, `${times}`],
        ...[compared.median, min, max, compared.ours].map((ms) => (ms === null ? '-' : `${ms} ms`)),
        compared.ratio === null ? '-' : `${compared.ratio}`,
      ];
    }),
  );
}
