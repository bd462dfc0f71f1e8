import { Fleet } from '../agents/fleet.ts';
import { type Measure, onStage, repeat } from '../measure.ts';
import { putJob, type Stage, untilConnected, untilDone } from '../stage.ts';

const JOB = 'empty';
const CLIENTS = 64;
const SLOTS = 2_000;

/** Runs that 64 clients ask for, each one after the other, until all of them are over. */
export const single: Measure = {
  name: 'single',
  title: 'empty runs one by one, 64 clients',
  isOnlyIfAsked: false,
  play: (options) =>
    onStage(options, { agents: 0 }, async (stage) => {
      const { token, controllerPorts: ports } = stage;
      const fleet = new Fleet({ count: 1, prefix: 'sim', ports, token, slots: SLOTS });
      try {
        await untilConnected(stage, 1);
        await putJob(stage, JOB, { command: ['true'] });
        await askOneByOne(stage, 1_000);
        const title = 'empty runs one by one, 64 clients, a simulated agent';
        const figure = { measure: 'single', title, unit: 'runs/s', target: { atLeast: 2_000 } };
        const count = Math.min(options.runs, 40_000);
        return await repeat(options, [figure], async () => {
          const startedAt = performance.now();
          await askOneByOne(stage, count);
          await untilDone(stage, 60_000);
          return [(count / (performance.now() - startedAt)) * 1_000];
        });
      } finally {
        await fleet.stop();
      }
    }),
};

async function askOneByOne(stage: Stage, count: number): Promise<void> {
  let left = count;
  const prefix = `${process.hrtime.bigint()}`;
  const client = async () => {
    const connection = stage.connect();
    const path = `/api/v1/jobs/${JOB}/runs`;
    try {
      while (left > 0) {
        left -= 1;
        const body = JSON.stringify({ parameters: { KEY: `${prefix}-${left}` } });
        const { status } = await connection.request({ method: 'POST', path, body });
        if (status !== 201) throw new Error(`a run was answered ${status}`);
      }
    } finally {
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
}
