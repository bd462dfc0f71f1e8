import { numberOf, readArguments } from '../../support/command-line.ts';
import { planFailOvers } from './plan.ts';
import { runStorm } from './storm.ts';

const USAGE = `npm run fail-overs -- [--seed S] [--count N] [--rate R]

Fail-overs of mixed kinds, one after the other, for a pair and three agents under load. Afterwards every run that was
accepted, every start and every byte of output is accounted for.

  --seed S   draws the faults and what users ask for (default: one that is drawn and said)
  --count N  so many fail-overs (default 10)
  --rate R   runs a second (default 200)

Exit code 1: something was found.
`;

const values = readArguments(USAGE, {
  seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
  count: { type: 'string', default: '10' },
  rate: { type: 'string', default: '200' },
});
const seed = numberOf('--seed', values.seed, 0);
const count = numberOf('--count', values.count, 1);
const rate = numberOf('--rate', values.rate, 1);

/** The first ones tell what is wrong. */
const SHOWN = 50;

const say = (text: string) => void process.stdout.write(`${text}\n`);
const undo: (() => unknown)[] = [];
let passed = false;
try {
  say(`${count} fail-overs at ${rate} runs a second, seed ${seed}`);
  const owner = {
    get passed() {
      return passed;
    },
    teardown: (step: () => unknown) => void undo.push(step),
    log: say,
  };
  const plan = (dice: Parameters<typeof planFailOvers>[0]) => planFailOvers(dice, count);
  const { findings, summary } = await runStorm(owner, { seed, rate, plan, tell: say });
  for (const line of summary) say(line);
  for (const finding of findings.slice(0, SHOWN)) say(`FOUND ${finding}`);
  say(`${findings.length} findings`);
  passed = findings.length === 0;
} finally {
  for (const step of undo.reverse()) await step();
  process.exitCode = passed ? 0 : 1;
}
