import type {
  BackfillAnswer,
  ErrorBody,
  JobInput,
  NextInstants,
  Page,
  Run,
} from '@understudy/shared/protocol/api';
import test, { type ExecutionContext } from 'ava';
import { eventually } from '../../support/cluster/eventually.ts';
import { Bench, type BenchOptions, keepAll, startStore } from './bench.ts';

type Store = Awaited<ReturnType<typeof startStore>>;
let store: Store;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

async function serving(t: ExecutionContext, options: BenchOptions = {}): Promise<Bench> {
  const bench = await Bench.start(t, store.postgres, options);
  await bench.activate(5n);
  return bench;
}

async function put(
  bench: Bench,
  job: Partial<JobInput>,
): Promise<{ status: number; body: unknown }> {
  return await bench.ask('PUT', '/api/v1/jobs/j', { command: ['true'], ...job });
}

async function runsOf(bench: Bench): Promise<Run[]> {
  const page: Page<Run> = (await bench.ask('GET', '/api/v1/runs?job=j&limit=1000')).body;
  return page.items.toReversed();
}

/** As if nobody had decided about the schedule for so long. */
async function forget(bench: Bench, seconds: number): Promise<void> {
  await bench.query(`update understudy.job
    set decided_until = decided_until - interval '${seconds} seconds'`);
}

const begunAt = Date.now();

/** The minute so many before that in which the tests began: asked for twice it is the same. */
function minutesAgo(count: number): string {
  return new Date(Math.floor(begunAt / 60_000 - count) * 60_000).toISOString();
}

function backfill(bench: Bench, from: number, to: number) {
  const range = { from: minutesAgo(from), to: minutesAgo(to) };
  return bench.ask('POST', '/api/v1/jobs/j/backfill', range);
}

/** Past the controller: what it reads of them is over. */
async function endAll(bench: Bench): Promise<void> {
  await bench.query(`update understudy.run set state = 'succeeded', finished_at = now()`);
}

const within = { withinMs: 20_000 };

test('an interval has a run for each of its instants, as it was said beforehand', async (t) => {
  const bench = await serving(t);
  await put(bench, { schedule: { every: '1s' } });
  const next: NextInstants = (await bench.ask('GET', '/api/v1/jobs/j/next?count=3')).body;
  t.is(next.items.length, 3);
  const runs = await eventually(
    async () => {
      const found = await runsOf(bench);
      return found.length >= 3 ? found : null;
    },
    { what: 'three runs', ...within },
  );
  const instants = runs.map(({ scheduledFor }) => scheduledFor ?? '');
  t.true(instants.every((at) => Date.parse(at) % 1_000 === 0));
  t.is(new Set(instants).size, instants.length);
  for (const at of next.items.slice(0, 2)) t.true(instants.includes(at), at);
});

test('what nobody decided about in time is recorded with the reason, and caught up within the window', async (t) => {
  const first = await serving(t);
  const window = { catchUp: 'all', catchUpWindow: '1m' } as const;
  await put(first, { ...window, schedule: { every: '10s' } });
  first.child.kill('SIGKILL');
  await first.ended;
  await forget(first, 120);
  const second = await Bench.start(t, store.postgres, { beside: first, node: 'b' });
  await second.activate(6n);
  const runs = await eventually(
    async () => {
      const found = await runsOf(second);
      return found.length >= 12 ? found : null;
    },
    { what: 'all that was missed', ...within },
  );
  for (const { state, scheduledFor, createdAt } of runs) {
    const lateMs = Date.parse(createdAt) - Date.parse(scheduledFor ?? '');
    t.is(state, lateMs > 60_000 ? 'skipped' : 'queued', `${lateMs} ms late`);
  }
  const skipped = runs.filter(({ state }) => state === 'skipped');
  t.true(skipped.length > 0 && skipped.length < runs.length);
  for (const { reason } of skipped)
    t.regex(reason ?? '', /no controller was active.*catchUpWindow/);
});

test('a paused job has its instants recorded as skipped, and goes on when it is resumed', async (t) => {
  const bench = await serving(t);
  await put(bench, { schedule: { every: '1s' }, paused: true });
  const [skipped] = await eventually(
    async () => {
      const found = await runsOf(bench);
      return found.length > 0 ? found : null;
    },
    { what: 'an instant of the paused job', ...within },
  );
  t.like(skipped, { state: 'skipped', reason: 'the job is paused' });
  await bench.ask('POST', '/api/v1/jobs/j/resume', {});
  await eventually(
    async () => ((await runsOf(bench)).some(({ state }) => state === 'queued') ? true : null),
    { what: 'a run of the resumed job', ...within },
  );
  const instants = (await runsOf(bench)).map(({ scheduledFor }) => Date.parse(scheduledFor ?? ''));
  const sorted = instants.toSorted((a, b) => a - b);
  t.deepEqual(
    sorted,
    Array.from(sorted, (_, index) => (sorted[0] ?? 0) + index * 1_000),
  );
});

test('a job runs once at an instant, which has to come still when it is set', async (t) => {
  const bench = await serving(t);
  const past = await put(bench, { schedule: { at: '2020-01-01T00:00:00Z' } });
  t.is(past.status, 400);
  t.regex((past.body as ErrorBody).error.message, /schedule.at/);
  const at = new Date(Date.now() + 1_500).toISOString();
  await put(bench, { schedule: { at } });
  const [run] = await eventually(
    async () => {
      const found = await runsOf(bench);
      return found.length > 0 ? found : null;
    },
    { what: 'its run', ...within },
  );
  t.is(run?.scheduledFor, at);
  t.is(
    (await put(bench, { schedule: { at }, priority: 1 })).status,
    200,
    'nothing new is asked for',
  );
  const next: NextInstants = (await bench.ask('GET', '/api/v1/jobs/j/next')).body;
  t.deepEqual(next.items, []);
});

test('a backfill runs what was skipped or never came up, once, however often it is asked for', async (t) => {
  const bench = await serving(t);
  await put(bench, { schedule: { every: '1m' }, overlap: 'skip', catchUp: 'none' });
  const fill = (from: number, to: number) => backfill(bench, from, to);
  const asked: BackfillAnswer = (await fill(30, 20)).body;
  t.deepEqual([asked.created.length, asked.existing], [10, 0]);
  const again: BackfillAnswer = (await fill(30, 18)).body;
  t.deepEqual([again.created.length, again.existing], [2, 10]);
  // As if an instant had been missed: its record stays, and a run is made beside it.
  await bench.query(`update understudy.run set state = 'skipped', finished_at = now()
    where scheduled_for = '${minutesAgo(25)}'`);
  const beside: BackfillAnswer = (await fill(30, 18)).body;
  t.deepEqual([beside.created.length, beside.existing], [1, 11]);
  t.deepEqual((await fill(30, 18)).body, { created: [], existing: 12 });
  const runs = await runsOf(bench);
  t.is(runs.filter(({ state }) => state === 'queued').length, 12, 'none of them skips another');
  t.is((await fill(10, -10)).status, 400);
  t.is((await fill(10, 10)).status, 400);
  t.is((await fill(100_000, 10)).status, 400);
});

test('instants whose runs may have been removed as too old are refused, and the message names the setting', async (t) => {
  const retention = { ...keepAll, runs: { ageMs: 7_200_000, count: null } };
  const bench = await serving(t, { retention });
  const job = { schedule: { every: '1m' }, catchUp: 'none' } as const;
  await put(bench, job);
  const refused = await backfill(bench, 150, 50);
  t.is(refused.status, 400);
  t.regex(
    (refused.body as ErrorBody).error.message,
    /^from: expected .* more than 2h ago are removed \(`retention\.age` of the configuration\)/,
  );
  t.deepEqual(await runsOf(bench), [], 'nothing of it is made');
  const made: BackfillAnswer = (await backfill(bench, 55, 50)).body;
  t.is(made.created.length, 5);
  await put(bench, { ...job, retention: { age: '10m' } });
  const own = await backfill(bench, 30, 5);
  t.is(own.status, 400);
  t.regex(
    (own.body as ErrorBody).error.message,
    /10m ago are removed \(`retention\.age` of the job\)/,
  );
  // What has its run still is not asked for.
  t.deepEqual((await backfill(bench, 55, 50)).body, { created: [], existing: 5 });
  await put(bench, { ...job, retention: { age: null } });
  t.is(((await backfill(bench, 150, 145)).body as BackfillAnswer).created.length, 5);
});

test('no more is filled in than is kept by number, and nothing that may have been pushed out', async (t) => {
  const bench = await serving(t);
  await put(bench, { schedule: { every: '1m' }, catchUp: 'none', retention: { count: 5 } });
  const tooMany = await backfill(bench, 20, 10);
  t.is(tooMany.status, 400);
  t.regex(
    (tooMany.body as ErrorBody).error.message,
    /^to: expected .* no more than 5 runs to make, there are 10: .*`retention\.count` of the job/,
  );
  t.is(((await backfill(bench, 20, 15)).body as BackfillAnswer).created.length, 5);
  await endAll(bench);
  t.deepEqual((await backfill(bench, 20, 15)).body, { created: [], existing: 5 });
  const pushedOut = await backfill(bench, 25, 20);
  t.is(pushedOut.status, 400);
  t.regex(
    (pushedOut.body as ErrorBody).error.message,
    /^from: expected .* only the newest 5 runs of this job are kept \(`retention\.count` of the job\)/,
  );
});
