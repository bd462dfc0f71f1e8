import { groupBy } from '../group-by.ts';

/** A run of a schedule. Instants are milliseconds since 1970. */
export interface ScheduledRun {
  readonly job: string;
  readonly instant: number;
}

/** I11: one run for each instant of a schedule from the first to the last one seen, and no more. */
export function instantFaults(runs: readonly ScheduledRun[], everyMs: number): string[] {
  return [...groupBy(runs, ({ job }) => job)].flatMap(([job, all]) => {
    const instants = all.map(({ instant }) => instant).toSorted((a, b) => a - b);
    return instants.slice(1).flatMap((instant, index) => {
      const step = instant - (instants[index] ?? instant);
      if (step === everyMs) return [];
      const when = new Date(instant).toISOString();
      if (step === 0) return [`I11: job ${job} has two runs for ${when}`];
      return [`I11: job ${job} has no run in the ${step} ms before ${when}`];
    });
  });
}
