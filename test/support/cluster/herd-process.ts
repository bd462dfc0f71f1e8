import { FakeAgent } from './fake-agent.ts';
import type { HerdOptions, HerdReport } from './herd.ts';

const REPORT_EVERY_MS = 200;

const options = JSON.parse(process.argv[2] ?? '{}') as Omit<HerdOptions, 'environment'>;
const { count, ...rest } = options;
const agents = Array.from(
  { length: count },
  (_, index) => new FakeAgent({ name: `w${index}`, ...rest }),
);
process.on('disconnect', () => process.exit());
setInterval(() => {
  const report: HerdReport = {
    joined: agents.map(({ joined }) => joined && ([joined.node, `${joined.at}`] as const)),
    gaveUp: agents.filter(({ hasGivenUp }) => hasGivenUp).length,
  };
  process.send?.(report);
}, REPORT_EVERY_MS);
