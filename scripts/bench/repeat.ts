import type { Figure } from './report.ts';
import type { Scenario } from './scenarios/scenario.ts';
import type { StagedPair } from './stage.ts';

/** What the rounds of one scenario gave. */
export interface Played {
  readonly figures: readonly Figure[];
  readonly complaints: readonly string[];
}

/** Plays a scenario so many times, and says each time what came of it. */
export async function repeat<S extends StagedPair>(
  scenario: Scenario<S>,
  stage: S,
  times: number,
): Promise<Played> {
  const { name, title, measures } = scenario;
  const values: (readonly number[])[] = [];
  const complaints: string[] = [];
  for (let round = 1; round <= times; round += 1) {
    const played = await scenario.play(stage, round);
    values.push(played.values.map((value) => Math.round(value * 10) / 10));
    const shown = measures.map(({ unit }, index) => `${values.at(-1)?.[index]} ${unit}`).join(', ');
    process.stderr.write(`${title}, ${round} of ${times}: ${shown}\n`);
    for (const line of played.complaints) {
      process.stderr.write(`  ${line}\n`);
      complaints.push(`${name}, round ${round}: ${line}`);
    }
  }
  const figures = measures.map(
    (measure, index): Figure => ({
      ...{ scenario: name, measure: measure.name, title: measure.title, unit: measure.unit },
      values: values.map((each) => each[index] ?? Number.NaN),
      most: measure.most(stage),
    }),
  );
  return { figures, complaints };
}
