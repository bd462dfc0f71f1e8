import type { Figure } from './figures.ts';
import { openStage, type Stage, type StageOptions } from './stage.ts';

export interface WorkOptions {
  /** Runs of one round of a rate. */
  readonly runs: number;
  /** Rows of history that are there in the second part of `history`. */
  readonly history: number;
  readonly times: number;
  readonly portBase: number;
  readonly minutes: number;
  /** Runs a second while memory is watched. */
  readonly rate: number;
  readonly say: (line: string) => void;
  /** What has to be done when the benchmark is broken off. */
  readonly open: Set<() => Promise<void>>;
}

/** Something that is measured on its own. */
export interface Measure {
  readonly name: string;
  readonly title: string;
  readonly isOnlyIfAsked: boolean;
  play(options: WorkOptions): Promise<readonly Figure[]>;
}

/** Lets something use a system of its own, which is gone after it, whatever happens. */
export async function onStage<T>(
  options: WorkOptions,
  about: Partial<StageOptions>,
  use: (stage: Stage) => Promise<T>,
): Promise<T> {
  const opening = openStage({ agents: 0, slots: 8, ...about, portBase: options.portBase });
  const close = async () => (await opening).close();
  options.open.add(close);
  try {
    return await use(await opening);
  } finally {
    await close().finally(() => options.open.delete(close));
  }
}

/** Repeats something, says what each round gave, and gives the figures of all rounds. */
export async function repeat(
  options: WorkOptions,
  figures: readonly Omit<Figure, 'values'>[],
  play: (round: number) => Promise<readonly number[]>,
): Promise<readonly Figure[]> {
  const rounds: (readonly number[])[] = [];
  for (let round = 1; round <= options.times; round += 1) {
    const values = await play(round);
    rounds.push(values);
    figures.forEach(({ title, unit }, index) => {
      const shown = (values[index] ?? Number.NaN).toFixed(2);
      options.say(`${title}, ${round} of ${options.times}: ${shown} ${unit}`);
    });
  }
  return figures.map((figure, index) => ({
    ...figure,
    values: rounds.map((values) => values[index] ?? Number.NaN),
  }));
}
