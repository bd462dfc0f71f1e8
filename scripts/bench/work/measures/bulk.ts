import { Fleet } from '../agents/fleet.ts';
import type { Figure } from '../figures.ts';
import { emptyModuleJob } from '../jobs/empty.ts';
import { type Measure, onStage, repeat } from '../measure.ts';
import { childrenMs, familyMs, processorMs } from '../processor-time.ts';
import {
  countSucceeded,
  putJob,
  type Stage,
  submitBulk,
  untilConnected,
  untilDone,
} from '../stage.ts';

const JOB = 'empty';
const SLOTS = 2_000;
const TARGET = { atLeast: 5_000 };
const WARM_UP = 5_000;
/** A rate this low is a failure of its own. */
const SLOWEST = 50;

/** Asks for so many runs at once, waits until all are over, and gives how many a second that were. */
export async function bulkRate(stage: Stage, job: string, count: number): Promise<number> {
  const before = await countSucceeded(stage, job);
  const startedAt = performance.now();
  await submitBulk(stage, job, count);
  await untilDone(stage, 10_000 + (count / SLOWEST) * 1_000);
  const seconds = (performance.now() - startedAt) / 1_000;
  const succeeded = (await countSucceeded(stage, job)) - before;
  if (succeeded !== count) throw new Error(`${succeeded} of ${count} runs succeeded`);
  return count / seconds;
}

/** Runs that cost their agent nothing: what controller and store take. */
export const bulkSimulated: Measure = {
  name: 'bulk',
  title: 'empty runs in bulk, an agent that costs nothing',
  isOnlyIfAsked: false,
  play: (options) =>
    onStage(options, { agents: 0 }, async (stage) => {
      const { token, controllerPorts: ports } = stage;
      const fleet = new Fleet({ count: 1, prefix: 'sim', ports, token, slots: SLOTS });
      try {
        await untilConnected(stage, 1);
        await putJob(stage, JOB, { command: ['true'] });
        await bulkRate(stage, JOB, WARM_UP);
        const play = () => measuredRate(stage, JOB, options.runs);
        return await repeat(options, bulkFigures('bulk', 'a simulated agent'), play);
      } finally {
        await fleet.stop();
      }
    }),
};

/** Runs of a module in the real agent: the whole way. */
export const bulkModule: Measure = {
  name: 'modules',
  title: 'empty runs in bulk, in process on a real agent',
  isOnlyIfAsked: false,
  play: (options) =>
    onStage(options, { agents: 1, slots: 2_000 }, async (stage) => {
      await untilConnected(stage, 1);
      await putJob(stage, JOB, emptyModuleJob);
      await bulkRate(stage, JOB, WARM_UP);
      const what = 'a real agent, in process';
      const title = `processor time of the agent a run, ${what}`;
      const agent = { measure: 'modules', title, unit: 'µs' };
      const pid = stage.system.workers[0]?.process.pid ?? 0;
      const play = async () => {
        const before = familyMs(pid);
        const figures = await measuredRate(stage, JOB, options.runs);
        return [...figures, ((familyMs(pid) - before) / options.runs) * 1_000];
      };
      return await repeat(options, [...bulkFigures('modules', what), agent], play);
    }),
};

/** Runs a second, and what processor time a run took of the controller and of PostgreSQL, in microseconds. */
export async function measuredRate(
  stage: Stage,
  job: string,
  count: number,
): Promise<readonly [rate: number, controllerUs: number, databaseUs: number]> {
  const { controllerPid } = stage.active;
  const database = stage.system.postgres.pid ?? 0;
  const before = { controller: processorMs(controllerPid), database: childrenMs(database) };
  const rate = await bulkRate(stage, job, count);
  const each = (ms: number) => (ms / count) * 1_000;
  return [
    rate,
    each(processorMs(controllerPid) - before.controller),
    each(childrenMs(database) - before.database),
  ];
}

function bulkFigures(measure: string, what: string): Omit<Figure, 'values'>[] {
  return [
    { measure, title: `empty runs in bulk, ${what}`, unit: 'runs/s', target: TARGET },
    { measure, title: `processor time of the controller a run, ${what}`, unit: 'µs' },
    { measure, title: `processor time of PostgreSQL a run, ${what}`, unit: 'µs' },
  ];
}
