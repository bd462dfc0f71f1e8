import { groupBy } from '../group-by.ts';

/** What one process used at one moment. */
export interface Sample {
  /** What it is and does, for instance `host a serving, process 4711`; a process that was replaced is another one. */
  readonly process: string;
  readonly memoryBytes: number;
  readonly descriptors: number;
}

export interface ResourceLimits {
  /** How much more the last quarter of the samples may show than the second one. */
  readonly memoryGrowthBytes: number;
  readonly descriptorGrowth: number;
}

/** Fewer samples of a process than this say nothing. */
const ENOUGH = 12;

/**
 * I15: memory and descriptors stay level. The first quarter of a process's samples is its warming up; the
 * medians of the second and of the last quarter are compared, so that a peak alone is no fault.
 */
export function growthFaults(samples: readonly Sample[], limits: ResourceLimits): string[] {
  return [...groupBy(samples, (sample) => sample.process)].flatMap(([process, all]) => {
    if (all.length < ENOUGH) return [];
    const memory = growth(all.map(({ memoryBytes }) => memoryBytes));
    const descriptors = growth(all.map(({ descriptors: count }) => count));
    return [
      ...(memory > limits.memoryGrowthBytes
        ? [`I15: the memory of ${process} grew by ${Math.round(memory / 1e6)} MB`]
        : []),
      ...(descriptors > limits.descriptorGrowth
        ? [`I15: ${process} has ${descriptors} descriptors more than before`]
        : []),
    ];
  });
}

function growth(values: readonly number[]): number {
  const quarter = Math.floor(values.length / 4);
  return median(values.slice(-quarter)) - median(values.slice(quarter, 2 * quarter));
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? 0;
}
