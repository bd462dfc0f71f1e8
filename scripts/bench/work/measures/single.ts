import { Fleet } from '../agents/fleet.ts';
import { type Measure, onStage, repeat } from '../measure.ts';
import { childrenMs, processorMs } from '../processor-time.ts';
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
        const count = Math.min(options.runs, 40_000);
        return await repeat(options, figures, async () => {
          const before = usedMs(stage);
          const startedAt = performance.now();
          await askOneByOne(stage, count);
          await untilDone(stage, 60_000);
          const rate = (count / (performance.now() - startedAt)) * 1_000;
          const after = usedMs(stage);
          return [rate, ...after.map((ms, index) => ((ms - (before[index] ?? 0)) / count) * 1_000)];
        });
      } finally {
        await fleet.stop();
      }
    }),
};

const title = 'empty runs one by one, 64 clients, a simulated agent';
const figures = [
  { measure: 'single', title, unit: 'runs/s', target: { atLeast: 2_000 } },
  ...['the controller', 'PostgreSQL', 'the clients'].map((who) => {
    return { measure: 'single', title: `processor time of ${who} a run, one by one`, unit: 'µs' };
  }),
];

/** Processor time that was used so far, in the order of the figures. */
function usedMs(stage: Stage): number[] {
  const { user, system } = process.cpuUsage();
  return [
    processorMs(stage.active.controllerPid),
    childrenMs(stage.system.postgres.pid ?? 0),
    (user + system) / 1_000,
  ];
}

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
