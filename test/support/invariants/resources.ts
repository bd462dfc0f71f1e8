import { groupBy } from '../group-by.ts';

/** What one process used at one moment. */
export interface Sample {
  /** What it is and does, for instance `host a serving, process 4711`; a process that was replaced is another one. */
  readonly process: string;
  readonly memoryBytes: number;
  readonly descriptors: number;
}

export interface ResourceLimits {
  /** How much more the last quarter of the samples may show at the least than the second one did. */
  readonly memoryGrowthBytes: number;
  readonly descriptorGrowth: number;
}

/** Fewer samples of a process than this, one a second, say nothing: a fault lasts for seconds. */
const ENOUGH = 60;

/**
 * I15: memory and descriptors stay level. The first quarter of a process's samples is its warming up; the least
 * of the second and of the last quarter are compared. What leaks is never given back, so its least rises; while
 * the database is slow requests wait, each with its connection, and are gone after it.
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
  return Math.min(...values.slice(-quarter)) - Math.min(...values.slice(quarter, 2 * quarter));
}
