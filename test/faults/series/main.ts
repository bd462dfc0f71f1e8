import { parseArgs } from 'node:util';
import { runSeries } from './series.ts';

// `npm run series -- --seed S --minutes N`: a random series of faults, printed as it goes. Exits with 1
// when something was found. Without a seed one is drawn and said.
const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: `${Date.now() % 1_000_000}` },
    minutes: { type: 'string', default: '1' },
  },
});
const [seed, minutes] = [Number(values.seed), Number(values.minutes)];
if (!Number.isSafeInteger(seed) || !(minutes > 0)) {
  throw new Error('expected --seed WHOLE-NUMBER and --minutes NUMBER');
}

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
