import { Logger, makeWorkerUtils, run, type WorkerUtils } from 'graphile-worker';
import { type Measure, repeat, type WorkOptions } from '../measure.ts';
import { Countdown, JOBS_WITHIN_MS, onPostgres } from './rival.ts';

const CONCURRENCY = 24;
const BATCH = 10_000;
const quiet = new Logger(() => () => undefined);

/**
 * Empty jobs with graphile-worker, which deletes what succeeded: fetched and completed one at a time, and by
 * its settings for throughput, where jobs are fetched many at once and completions are gathered.
 */
export const graphileWorker: Measure = {
  name: 'graphile-worker',
  title: 'empty jobs with graphile-worker',
  isOnlyIfAsked: false,
  play: (options) =>
    onPostgres(options, async (url) => {
      const utils = await makeWorkerUtils({ connectionString: url, logger: quiet });
      try {
        await utils.migrate();
        const measure = 'graphile-worker';
        const figures = [
          { measure, title: 'graphile-worker, one at a time, added in bulk', unit: 'jobs/s' },
          { measure, title: 'graphile-worker, in batches, added in bulk', unit: 'jobs/s' },
        ];
        return await repeat(options, figures, async () => [
          await rate(options, { url, utils, count: Math.ceil(options.runs / 4), isBatched: false }),
          await rate(options, { url, utils, count: options.runs, isBatched: true }),
        ]);
      } finally {
        await utils.release();
      }
    }),
};

interface Round {
  readonly url: string;
  readonly utils: WorkerUtils;
  readonly count: number;
  readonly isBatched: boolean;
}

async function rate(_: WorkOptions, { url, utils, count, isBatched }: Round): Promise<number> {
  const countdown = new Countdown();
  const runner = await run({
    connectionString: url,
    concurrency: isBatched ? CONCURRENCY : 10,
    maxPoolSize: CONCURRENCY + 2,
    pollInterval: 500,
    noHandleSignals: true,
    logger: quiet,
    taskList: { empty: () => countdown.one() },
    preset: isBatched
      ? {
          worker: {
            localQueue: { size: 500 },
            completeJobBatchDelay: 0,
            failJobBatchDelay: 0,
          },
        }
      : {},
  });
  try {
    const startedAt = performance.now();
    const done = countdown.of(count, JOBS_WITHIN_MS);
    for (let from = 0; from < count; from += BATCH) {
      const size = Math.min(BATCH, count - from);
      await utils.addJobs(
        Array.from({ length: size }, () => ({ identifier: 'empty', payload: {} })),
      );
    }
    await done;
    // What was done is completed in the database only now.
    await runner.stop();
    return (count / (performance.now() - startedAt)) * 1_000;
  } catch (error) {
    await runner.stop().catch(() => undefined);
    throw error;
  }
}
