import PgBoss from 'pg-boss';
import { type Measure, repeat } from '../measure.ts';
import { Countdown, JOBS_WITHIN_MS, onPostgres } from './rival.ts';

const QUEUE = 'empty';
const BATCH = 1_000;
const IN_FLIGHT = 10;

/** Empty jobs with pg-boss: fetched and completed one at a time, ten in flight, and in batches of 1,000. */
export const pgBoss: Measure = {
  name: 'pg-boss',
  title: 'empty jobs with pg-boss',
  isOnlyIfAsked: false,
  play: (options) =>
    onPostgres(options, async (url) => {
      const boss = new PgBoss({ connectionString: url, max: IN_FLIGHT });
      boss.on('error', () => undefined);
      await boss.start();
      try {
        await boss.createQueue(QUEUE);
        const measure = 'pg-boss';
        const figures = [
          { measure, title: 'pg-boss, one at a time, added in bulk', unit: 'jobs/s' },
          { measure, title: 'pg-boss, in batches of 1,000, added in bulk', unit: 'jobs/s' },
        ];
        return await repeat(options, figures, async () => [
          await rate(boss, Math.ceil(options.runs / 20), 1),
          await rate(boss, options.runs, BATCH),
        ]);
      } finally {
        await boss.stop({ graceful: false });
      }
    }),
};

/** Adds jobs and works them off: each worker fetches so many, and completes them together. */
async function rate(boss: PgBoss, count: number, atOnce: number): Promise<number> {
  const countdown = new Countdown();
  const startedAt = performance.now();
  const done = countdown.of(count, JOBS_WITHIN_MS);
  for (let from = 0; from < count; from += BATCH) {
    const size = Math.min(BATCH, count - from);
    await boss.insert(Array.from({ length: size }, () => ({ name: QUEUE })));
  }
  const isOver = { now: false };
  const worker = async () => {
    while (!isOver.now) {
      const jobs = await boss.fetch(QUEUE, { batchSize: atOnce });
      if (jobs.length === 0) return;
      await boss.complete(
        QUEUE,
        jobs.map(({ id }) => id),
      );
      for (const _ of jobs) countdown.one();
    }
  };
  const workers = Array.from({ length: atOnce === 1 ? IN_FLIGHT : 2 }, worker);
  try {
    await done;
  } finally {
    isOver.now = true;
    await Promise.allSettled(workers);
  }
  return (count / (performance.now() - startedAt)) * 1_000;
}
