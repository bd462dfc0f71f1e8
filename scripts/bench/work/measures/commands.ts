import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Measure, onStage, repeat } from '../measure.ts';
import { putJob, untilConnected } from '../stage.ts';
import { bulkRate } from './bulk.ts';

const JOB = 'nothing';
/** What a bare Node is fastest with. */
const AT_ONCE = 8;
/** A run takes its slot until its end is stored: more of them than programs that run in one moment. */
const SLOTS = 32;
const SPAWNER = fileURLToPath(new URL('../spawner.js', import.meta.url));

/** Processes a second: `/bin/true` as runs on a real agent, and started by a bare Node beside it. */
export const commands: Measure = {
  name: 'commands',
  title: '/bin/true as runs, beside a bare spawner',
  isOnlyIfAsked: false,
  play: (options) =>
    onStage(options, { agents: 1, slots: SLOTS }, async (stage) => {
      await untilConnected(stage, 1);
      await putJob(stage, JOB, { command: ['/bin/true'] });
      const count = Math.min(options.runs, 3_000);
      await bulkRate(stage, JOB, 200);
      const measure = 'commands';
      const figures = [
        { measure, title: '/bin/true as runs', unit: 'runs/s' },
        { measure, title: '/bin/true from a bare Node', unit: 'processes/s' },
        {
          measure,
          title: 'runs of /bin/true, of the bare rate',
          unit: '%',
          target: { atLeast: 70 },
        },
      ];
      return await repeat(options, figures, async () => {
        const bare = await bareRate(count);
        const rate = await bulkRate(stage, JOB, count);
        return [rate, bare, (rate / bare) * 100];
      });
    }),
};

/** What a small process reaches that does nothing but start `/bin/true`, eight at a time. */
export async function bareRate(count: number): Promise<number> {
  const child = spawn(process.execPath, [SPAWNER, `${count}`, `${AT_ONCE}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await once(child, 'close');
  return Number(said);
}
