import { setTimeout as delay } from 'node:timers/promises';
import { Fleet } from '../agents/fleet.ts';
import { quantile } from '../figures.ts';
import { type Measure, onStage } from '../measure.ts';
import { residentMb } from '../processor-time.ts';
import { putJob, submitBulk, untilConnected, untilDone } from '../stage.ts';

const JOB = 'empty';
const SLOTS = 500;
const AT_ONCE = 1_000;
const SAMPLE_EVERY_MS = 1_000;
const WARM_UP_MS = 20_000;

/** The controller's memory under steady load: its last quarter beside its second one. */
export const memory: Measure = {
  name: 'memory',
  title: 'the memory of the controller under load',
  isOnlyIfAsked: true,
  play: (options) =>
    onStage(options, { agents: 0 }, async (stage) => {
      const { token, controllerPorts: ports } = stage;
      const fleet = new Fleet({ count: 1, prefix: 'sim', ports, token, slots: SLOTS });
      const samples: number[] = [];
      const sampler = setInterval(() => {
        samples.push(residentMb(stage.active.controllerPid));
      }, SAMPLE_EVERY_MS);
      let runs = 0;
      const load = async (forMs: number) => {
        const startedAt = performance.now();
        const everyMs = options.rate === undefined ? 0 : (AT_ONCE / options.rate) * 1_000;
        for (let round = 1; performance.now() < startedAt + forMs; round += 1) {
          await submitBulk(stage, JOB, AT_ONCE);
          await untilDone(stage, 60_000);
          runs += AT_ONCE;
          await delay(Math.max(0, startedAt + round * everyMs - performance.now()));
        }
      };
      try {
        await untilConnected(stage, 1);
        await putJob(stage, JOB, { command: ['true'] });
        await load(WARM_UP_MS);
        samples.length = 0;
        runs = 0;
        await load(options.minutes * 60_000);
        clearInterval(sampler);
        await delay(0);
        const quarter = Math.floor(samples.length / 4);
        const early = samples.slice(quarter, 2 * quarter);
        const late = samples.slice(3 * quarter);
        const growth = (quantile(late, 0.5) / quantile(early, 0.5)) * 100;
        options.say(`${runs} runs, resident MB: ${samples.map(Math.round).join(' ')}`);
        const measure = 'memory';
        return [
          { measure, title: 'memory of the controller under load', unit: 'MB', values: samples },
          {
            measure,
            title: 'its growth from the second quarter to the last',
            unit: '%',
            values: [growth],
            target: { atMost: 115 },
          },
          { measure, title: 'runs in that time', unit: 'runs', values: [runs] },
        ];
      } finally {
        clearInterval(sampler);
        await fleet.stop();
      }
    }),
};
