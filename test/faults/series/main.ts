import { numberOf, readArguments } from '../../support/command-line.ts';
import { runSeries } from './series.ts';

const USAGE = `npm run series -- [--seed S] [--minutes N]

A random series of faults for a pair and three agents under load, printed as it goes, and judged at the end.

  --seed S     draws the faults and their times (default: one that is drawn and said)
  --minutes N  how long (default 1)

Exit code 1: something was found.
`;

const values = readArguments(USAGE, {
  seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
  minutes: { type: 'string', default: '1' },
});
const seed = numberOf('--seed', values.seed, 0);
const minutes = numberOf('--minutes', values.minutes, 0.1, false);

const say = (text: string) => void process.stdout.write(`${text}\n`);
const undo: (() => unknown)[] = [];
let passed = false;
try {
  say(`series of ${minutes} minutes, seed ${seed}`);
  const owner = {
    get passed() {
      return passed;
    },
    teardown: (step: () => unknown) => void undo.push(step),
    log: say,
  };
  const report = await runSeries(owner, { seed, durationMs: 60_000 * minutes, tell: say });
  for (const finding of report.findings) say(`FOUND ${finding}`);
  say(report.summary);
  passed = report.findings.length === 0;
} finally {
  for (const step of undo.reverse()) await step();
  process.exitCode = passed ? 0 : 1;
}
