import { quantile } from '../figures.ts';

/** How much memory something took at one moment. */
export interface MemorySample {
  readonly atMs: number;
  readonly mb: number;
}

/** The time is cut into so many parts, of each of which the median counts: a peak is no rise. */
const PARTS = 12;
const HOUR_MS = 3_600_000;

/**
 * How steeply memory rises, in MB an hour: for each two parts of the time that lie at least half of it apart, the
 * slope from one to the other. Their median is the rise, how far they lie apart says what it is worth.
 */
export function risesAnHour(samples: readonly MemorySample[]): number[] {
  const parts = partsOf(samples);
  return parts.flatMap((early, index) =>
    parts
      .slice(index + PARTS / 2)
      .map((late) => ((late.mb - early.mb) / (late.atMs - early.atMs)) * HOUR_MS),
  );
}

/** What it takes in the middle. */
export function levelMb(samples: readonly MemorySample[]): number {
  return quantile(
    samples.map(({ mb }) => mb),
    0.5,
  );
}

function partsOf(samples: readonly MemorySample[]): MemorySample[] {
  const size = samples.length / PARTS;
  if (size < 1) return [];
  return Array.from({ length: PARTS }, (_, part) => {
    const some = samples.slice(Math.floor(part * size), Math.floor((part + 1) * size));
    const atMs = some.reduce((sum, sample) => sum + sample.atMs, 0) / some.length;
    return { atMs, mb: levelMb(some) };
  });
}
