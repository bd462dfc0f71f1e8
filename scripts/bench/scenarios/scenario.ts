import type { Stage } from '../stage.ts';

/** One figure that each round of a scenario gives. */
export interface Measure {
  readonly name: string;
  readonly title: string;
  readonly unit: 'ms' | 'requests';
  /** What is promised: no round may be above it. */
  readonly most: (stage: Stage) => number;
}

/** What a round gave. */
export interface Round {
  /** One for each measure, in their order. */
  readonly values: readonly number[];
  /** What was wrong beside broken promises; each counts as a failure of the benchmark. */
  readonly complaints: readonly string[];
}

/** Something that happens to a pair, and what is measured of it. */
export interface Scenario {
  readonly name: string;
  readonly title: string;
  /** Whether the hosts reach the database through proxies, which cost every call a little time. */
  readonly isProxied: boolean;
  readonly measures: readonly Measure[];
  /** Finds the pair whole, and leaves it whole. Rounds are counted from 1. */
  play(stage: Stage, round: number): Promise<Round>;
}
