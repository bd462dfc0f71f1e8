import { Pace } from '@understudy/controller/history/pace';
import { keptOf } from '@understudy/controller/history/policy';
import { jobSchema } from '@understudy/shared/protocol/api';
import test from 'ava';

const DAY_MS = 86_400_000;
const configured = { ageMs: 30 * DAY_MS, count: 1_000 };
const jobWith = (retention: unknown) =>
  jobSchema.parse({ name: 'j', command: ['true'], retention });

test('a job says how much of its history is kept; what it leaves out is as configured', (t) => {
  t.deepEqual(keptOf(jobWith(null), configured), configured);
  t.deepEqual(keptOf(null, configured), configured, 'a job that was deleted');
  t.deepEqual(keptOf(jobWith({ age: '1d' }), configured), { ageMs: DAY_MS, count: 1_000 });
  t.deepEqual(keptOf(jobWith({ count: 5 }), configured), { ageMs: 30 * DAY_MS, count: 5 });
  t.deepEqual(keptOf(jobWith({ age: null, count: null }), configured), {
    ageMs: null,
    count: null,
  });
});

test('a stored job is read as it was', (t) => {
  for (const retention of [null, {}, { age: '12h', count: 3 }, { age: null }]) {
    const job = jobWith(retention);
    t.deepEqual(jobSchema.parse(JSON.parse(JSON.stringify(job))), job);
  }
});

test('bites become smaller while the database is slow and larger while it is fast, within bounds', (t) => {
  const pace = new Pace();
  for (let i = 0; i < 50; i++) t.true(pace.restAfter(5) >= 20);
  t.is(pace.size, 1_000);
  t.is(pace.restAfter(60), 120);
  t.is(pace.size, 1_000);
  t.is(pace.restAfter(300), 600);
  t.is(pace.size, 500);
  for (let i = 0; i < 50; i++) pace.restAfter(300);
  t.is(pace.size, 10);
});
