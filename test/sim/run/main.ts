import { numberOf, readArguments } from '../../support/command-line.ts';
import { playHistory } from '../history.ts';
import { mutants } from '../plan/mutants.ts';
import { UNSOUND } from './batch.ts';
import { Crew } from './crew.ts';
import { describeCounters, describeMutant, describeViolation } from './report.ts';

const USAGE = `npm run sim -- [--seeds N] [--from S] [--mutants] [--replay SEED [--mutant NAME]] [--forever]

  --seeds N      plays N histories (default 2000), on all cores
  --from S       the first seed (default 1)
  --mutants      then looks for the seed that catches each mutant
  --replay SEED  tells the story of one history, line by line
  --mutant NAME  with --replay: the history as that mutant lives it
  --forever      goes on with the next seeds until something is violated

Exit code 1: an invariant was violated, or a mutant was not caught.
`;

await main();

async function main(): Promise<void> {
  const values = readArguments(USAGE, {
    seeds: { type: 'string', default: '2000' },
    from: { type: 'string', default: '1' },
    mutants: { type: 'boolean', default: false },
    replay: { type: 'string' },
    mutant: { type: 'string' },
    forever: { type: 'boolean', default: false },
  });
  if (values.replay !== undefined) {
    return replay(numberOf('--replay', values.replay, 0), values.mutant ?? null);
  }
  const count = numberOf('--seeds', values.seeds, 0);
  const first = numberOf('--from', values.from, 0);
  const crew = new Crew();
  try {
    for (let from = first; count > 0; from += count) {
      const isSound = await play(crew, from, count);
      if (!isSound) process.exitCode = 1;
      if (!values.forever || !isSound) break;
    }
    if (values.mutants && !(await hunt(crew))) process.exitCode = 1;
  } finally {
    await crew.dismiss();
  }
}

async function play(crew: Crew, from: number, count: number): Promise<boolean> {
  const { found, counters, ...cost } = await crew.play({ from, count });
  say(`${describeCounters(counters, { ...cost, workers: crew.size })}\n`);
  for (const each of found) say(describeViolation(each));
  say(`seeds ${from} to ${from + count - 1}: ${found.length} violations\n`);
  return found.length === 0;
}

async function hunt(crew: Crew): Promise<boolean> {
  let uncaught = 0;
  await crew.hunt((mutant, found) => {
    if (found === null || found.rule === UNSOUND) uncaught += 1;
    say(describeMutant(mutant, found));
  });
  say(`${mutants.length} mutants, ${uncaught} not caught\n`);
  return uncaught === 0;
}

function replay(seed: number, name: string | null): void {
  const mutant = mutants.find((each) => each.name === name);
  if (name !== null && mutant === undefined) throw new Error(`there is no mutant "${name}"`);
  const onLine = (line: string) => say(`${line}\n`);
  const { violation, recoveredAfterMs } = playHistory(seed, {
    onLine,
    ...(mutant === undefined ? {} : { rules: mutant.rules }),
    ...(mutant?.shape === undefined ? {} : { shape: mutant.shape }),
  });
  if (violation !== null) {
    process.exitCode = 1;
    say(describeViolation({ seed, ...violation }));
  } else say(`no violation; served ${Math.round(recoveredAfterMs ?? 0)} ms after all was healed\n`);
}

function say(text: string): void {
  process.stdout.write(text);
}
