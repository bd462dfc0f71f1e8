import type { Stage, StagedPair } from '../stage.ts';

/** One figure that each round of a scenario gives. */
export interface Measure<S extends StagedPair = Stage> {
  readonly name: string;
  readonly title: string;
  readonly unit: 'ms' | 'requests';
  /** What is promised: no round may be above it. Null: nothing is. */
  readonly most: (stage: S) => number | null;
}

/** What a round gave. */
export interface Round {
  /** One for each measure, in their order. */
  readonly values: readonly number[];
  /** What was wrong beside broken promises; each counts as a failure of the benchmark. */
  readonly complaints: readonly string[];
}

/** Something that happens to a pair, and what is measured of it. */
export interface Scenario<S extends StagedPair = Stage> {
  readonly name: string;
  readonly title: string;
  /** Whether the hosts reach the database through proxies, which cost every call a little time. */
  readonly isProxied: boolean;
  readonly measures: readonly Measure<S>[];
  /** Finds the pair whole, and leaves it whole. Rounds are counted from 1. */
  play(stage: S, round: number): Promise<Round>;
}
