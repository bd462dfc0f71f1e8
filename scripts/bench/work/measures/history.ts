import { Fleet } from '../agents/fleet.ts';
import { quantile } from '../figures.ts';
import { type Measure, onStage } from '../measure.ts';
import { putJob, type Stage, untilConnected } from '../stage.ts';
import { bulkRate, measuredRate } from './bulk.ts';

const JOB = 'empty';
const SLOTS = 2_000;
const WARM_UP = 5_000;
const AT_ONCE = 100_000;

/** The same rate with an empty history, and with a long one. */
export const history: Measure = {
  name: 'history',
  title: 'empty runs in bulk, with a short history and with a long one',
  isOnlyIfAsked: false,
  play: (options) =>
    onStage(options, { agents: 0 }, async (stage) => {
      const { token, controllerPorts: ports } = stage;
      const fleet = new Fleet({ count: 1, prefix: 'sim', ports, token, slots: SLOTS });
      const rounds = async (what: string) => {
        const rates: number[] = [];
        const databaseUs: number[] = [];
        for (let round = 1; round <= options.times; round += 1) {
          const [rate, , us] = await measuredRate(stage, JOB, options.runs);
          rates.push(rate);
          databaseUs.push(us);
          const shown = `${rate.toFixed(0)} runs/s, ${us.toFixed(0)} µs of PostgreSQL a run`;
          options.say(`${what}, ${round} of ${options.times}: ${shown}`);
        }
        return { rates, databaseUs };
      };
      try {
        await untilConnected(stage, 1);
        await putJob(stage, JOB, { command: ['true'] });
        await bulkRate(stage, JOB, WARM_UP);
        const short = await rounds('short history');
        options.say(`filling the history with ${options.history} runs`);
        await fill(stage, options.history);
        const long = await rounds('long history');
        const shown = options.history.toLocaleString('en');
        const rows = { measure: 'history', unit: 'runs/s' };
        const us = { measure: 'history', unit: 'µs' };
        const ratio = (quantile(long.rates, 0.5) / quantile(short.rates, 0.5)) * 100;
        return [
          { ...rows, title: 'empty runs in bulk, short history', values: short.rates },
          { ...rows, title: `the same after ${shown} runs more`, values: long.rates },
          // Whatever else the machine does, this is what a run takes.
          {
            ...us,
            title: 'processor time of PostgreSQL a run, short history',
            values: short.databaseUs,
          },
          { ...us, title: `the same after ${shown} runs more`, values: long.databaseUs },
          {
            ...{ measure: 'history', unit: '%', values: [ratio], target: { atLeast: 90 } },
            title: `long history, of the rate of the short one`,
          },
        ];
      } finally {
        await fleet.stop();
      }
    }),
};

/** Puts runs that are over into the tables, with their attempts and events, as if they had been. */
async function fill(stage: Stage, count: number): Promise<void> {
  const { database, active } = stage;
  const values = async () =>
    (await database.query('select pair from lease')).rows[0] as { pair: string };
  const { pair } = await values();
  for (let from = 0; from < count; from += AT_ONCE) {
    const size = Math.min(AT_ONCE, count - from);
    const some = [pair, active.term, size];
    await database.query('begin');
    await database.query(`create temporary table made on commit drop as
      select gen_random_uuid() as id, now() - interval '1 day' + n * interval '1 millisecond' as at
      from generate_series(1, ${size}) n`);
    await database.query(
      `insert into run (id, pair, job, state, created_at, started_at, finished_at, exit_code, agent,
         parameters, spec, idempotency_key, term)
       select id, $1, 'past-' || (n % 50), 'succeeded', at, at, at, 0, 'past', '{}',
         (select spec from run order by id desc limit 1), id::text, $2::bigint
       from (select *, row_number() over () as n from made limit $3) made`,
      some,
    );
    await database.query(
      `insert into attempt (run, number, pair, agent, state, ordered_term, ordered_at, started_at,
         finished_at, exit_code, log_bytes, term)
       select id, 1, $1, 'past', 'succeeded', $2::bigint, at, at, at, 0, 0, $2::bigint from made limit $3`,
      some,
    );
    await database.query(
      `insert into event (pair, at, term, kind, subject, message, facts, batch, place)
       select $1, at, $2::bigint, 'run-ended', id::text, 'run of past is succeeded', '{}', id, 1
       from made limit $3`,
      some,
    );
    await database.query('commit');
  }
  await database.query('vacuum (analyze) run');
  await database.query('vacuum (analyze) attempt');
  await database.query('vacuum (analyze) event');
}
