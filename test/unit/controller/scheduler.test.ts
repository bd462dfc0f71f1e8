import { Scheduler } from '@understudy/controller/scheduler/scheduler';
import type { Changes } from '@understudy/controller/store/changes';
import type { JobRecord } from '@understudy/controller/store/records';
import type { TenureContext } from '@understudy/controller/work/context';
import { RunPlanner } from '@understudy/controller/work/planner';
import { RunService } from '@understudy/controller/work/runs';
import { WorkState } from '@understudy/controller/work/state';
import test from 'ava';
import { eventually } from '../../support/cluster/eventually.ts';

const minute = 60_000;
const start = Date.UTC(2026, 0, 1);

/** A scheduler over a state whose commits are only noted, one job and a clock that stands still. */
function setUp(overlap: 'queue' | 'skip', catchUp: 'latest' | 'all', now: number | (() => number)) {
  const wallMs = typeof now === 'number' ? () => now : now;
  const commits: Changes[] = [];
  let ids = 0;
  const context = {
    clock: { wallMs, monotonicMs: () => 0 },
    guard: { mayAct: () => true },
    failpoints: { stopSchedulerOn: null },
    committer: {
      isAway: false,
      commit: async (changes: Changes) => {
        commits.push(changes);
      },
    },
    log: { error: (message: string) => Promise.reject(new Error(message)) },
    newId: () => `run-${++ids}`,
  } as unknown as TenureContext;
  const state = new WorkState(context);
  const schedule = { cron: '* * * * *', timezone: 'UTC' };
  const job = {
    definition: {
      name: 'job',
      schedule,
      paused: false,
      catchUp,
      catchUpWindowMs: null,
      overlap,
      concurrency: null,
      parameters: null,
      after: [],
      agents: 'one',
      selector: {},
    },
    decidedUntil: start,
  } as unknown as JobRecord;
  state.jobs.set('job', job);
  const planner = new RunPlanner(context, state);
  const runs = new RunService(context, state, {} as never, planner);
  return { scheduler: new Scheduler(context, { state, planner, runs }), commits, state };
}

test('a backlog is decided over several ticks, each with its runs in one commit', (t) => {
  const { scheduler, commits } = setUp('queue', 'latest', start + 500 * minute + 30_000);
  for (let tick = 0; tick < 5; tick += 1) scheduler.tick();
  scheduler.stop();
  t.is(commits.length, 3);
  for (const { jobs, newRuns } of commits) {
    t.is(jobs?.[0]?.decidedUntil, newRuns?.at(-1)?.scheduledFor ?? undefined);
  }
  const runs = commits.flatMap(({ newRuns }) => newRuns ?? []);
  t.deepEqual(
    runs.map(({ scheduledFor }) => scheduledFor),
    Array.from({ length: 500 }, (_, index) => start + (index + 1) * minute),
  );
  t.deepEqual(
    runs.filter((run) => run.state === 'queued').map(({ scheduledFor }) => scheduledFor),
    [start + 500 * minute],
  );
});

test('of several instants caught up at once the later ones overlap with the first', (t) => {
  const { scheduler, commits } = setUp('skip', 'all', start + 3 * minute + 30_000);
  scheduler.tick();
  scheduler.stop();
  t.deepEqual(
    commits.flatMap(({ newRuns }) => newRuns ?? []).map(({ state }) => state),
    ['queued', 'skipped', 'skipped'],
  );
});

test('before a schedule changes all that it has brought is decided, however much that is', (t) => {
  const { scheduler, commits, state } = setUp('queue', 'all', start + 500 * minute + 30_000);
  scheduler.settle('job');
  scheduler.stop();
  t.is(commits.flatMap(({ newRuns }) => newRuns ?? []).length, 500);
  t.is(state.jobs.get('job')?.decidedUntil, start + 500 * minute);
});

test('once it is started it ticks by itself, with each second', async (t) => {
  let now = start + 30_000;
  const { scheduler, commits } = setUp('queue', 'latest', () => now);
  t.teardown(() => scheduler.stop());
  scheduler.start();
  now += minute;
  await eventually(() => (commits.length > 0 ? true : null), { what: 'a tick', withinMs: 5_000 });
  t.is(commits[0]?.newRuns?.length, 1);
});
