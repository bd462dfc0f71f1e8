import { checkSchedule, instantsOf, nextInstants } from '@understudy/controller/scheduler/instants';
import { jobSchema } from '@understudy/shared/protocol/api';
import { scheduleSchema } from '@understudy/shared/protocol/schedule';
import test from 'ava';
import { CronExpressionParser } from 'cron-parser';
import { clockChanges, LocalTime } from './local-time.ts';

const second = 1_000;
const minute = 60 * second;
const at = (text: string) => Date.parse(text);
const iso = (instants: readonly number[]) => instants.map((each) => new Date(each).toISOString());

const byHour = [
  ['30 2 * * *', (h: number, m: number) => h === 2 && m === 30],
  ['0,20,40 1-4 * * *', (h: number, m: number) => h >= 1 && h <= 4 && m % 20 === 0],
  ['15 */2 * * *', (h: number, m: number) => h % 2 === 0 && m === 15],
  ['5 0,3 * * *', (h: number, m: number) => (h === 0 || h === 3) && m === 5],
  ['45 23 * * *', (h: number, m: number) => h === 23 && m === 45],
] as const;
const byPassing = [
  ['10 * * * *', (_: number, m: number) => m === 10],
  ['*/15 * * * *', (_: number, m: number) => m % 15 === 0],
] as const;

for (const [timezone, day] of clockChanges) {
  test(`F80: around ${day} in ${timezone} each local time comes once, whoever computes it`, (t) => {
    const local = new LocalTime(timezone, day);
    const [from, to] = [local.from + 720 * minute, local.to - 720 * minute];
    const inside = (instants: readonly number[]) => instants.filter((i) => i > from && i < to);
    for (const [cron, isWanted] of byHour) {
      const expected = inside(local.onTheWall(isWanted));
      t.deepEqual(iso(between(cron, from, to)), iso(expected), cron);
      // A controller that begins in the middle comes to the same.
      for (let begin = from; begin < to; begin += 187 * minute) {
        const rest = expected.filter((each) => each > begin);
        t.deepEqual(iso(between(cron, begin, to)), iso(rest), `${cron} after ${iso([begin])}`);
      }
    }
    for (const [cron, isWanted] of byPassing) {
      const expected = inside(local.passing(isWanted));
      t.deepEqual(iso(between(cron, from, to)), iso(expected), cron);
      for (let begin = from; begin < to; begin += 487 * minute) {
        const rest = expected.filter((each) => each > begin);
        t.deepEqual(iso(between(cron, begin, to)), iso(rest), `${cron} after ${iso([begin])}`);
      }
    }
  });

  function between(cron: string, from: number, to: number): number[] {
    const walk = instantsOf({ cron, timezone })(from);
    const found: number[] = [];
    for (let next = walk(); next !== null && next < to; next = walk()) found.push(next);
    return found;
  }
}

test('an expression means what the library takes it to mean, where no clock is changed', (t) => {
  const begin = at('2027-12-30T22:47:13Z');
  for (const cron of [
    ...['* * * * *', '*/7 * * * *', '5-9,50 3 * * *', '0 0 1 1 *', '0 0 29 2 *', '0 12 * * 1-5'],
    ...['15 10 13 * 5', '0 0 L * *', '0 6 * * 5L', '30 9 * * 1#2', '0 0 31 */2 *', '0 0 * * 7'],
    ...['*/20 0,30 4 * FEB,AUG SUN', '59 59 23 31 12 *', '0 0 15,L * THU', '1 2 ? * MON'],
  ]) {
    const expression = CronExpressionParser.parse(cron, {
      currentDate: new Date(begin),
      tz: 'UTC',
    });
    const expected = expression.take(40).map((date) => date.getTime());
    const found = nextInstants({ cron, timezone: 'UTC' }, begin, 40);
    t.deepEqual(iso(found), iso(expected), cron);
  }
});

test('an expression of six fields begins with seconds', (t) => {
  const schedule = { cron: '*/20 30 9 * * *', timezone: 'Europe/Rome' };
  t.deepEqual(iso(nextInstants(schedule, at('2026-06-01T00:00:00Z'), 4)), [
    '2026-06-01T07:30:00.000Z',
    '2026-06-01T07:30:20.000Z',
    '2026-06-01T07:30:40.000Z',
    '2026-06-02T07:30:00.000Z',
  ]);
});

test('an interval counts from its anchor, or from 1970, and never from whoever computes it', (t) => {
  const free = { everyMs: 7 * minute, anchor: null };
  for (const after of [0, 1, 7 * minute - 1]) t.is(nextInstants(free, after, 1)[0], 7 * minute);
  t.is(nextInstants(free, 7 * minute, 1)[0], 14 * minute);
  const anchor = '2026-01-01T00:00:10.000Z';
  const tied = { everyMs: 30 * second, anchor };
  t.deepEqual(nextInstants(tied, 0, 2), [at(anchor), at(anchor) + 30 * second]);
  t.is(nextInstants(tied, at(anchor) + 29_999, 1)[0], at(anchor) + 30 * second);
});

test('an instant comes once', (t) => {
  const once = { at: '2026-01-01T00:00:00.000Z' };
  t.deepEqual(nextInstants(once, at(once.at) - 1, 5), [at(once.at)]);
  t.deepEqual(nextInstants(once, at(once.at), 5), []);
});

test('a schedule is one of three, in the form that can be sent back', (t) => {
  const parse = (schedule: unknown) => scheduleSchema.safeParse(schedule);
  t.deepEqual(parse({ cron: '* * * * *' }).data, { cron: '* * * * *', timezone: 'UTC' });
  t.deepEqual(parse({ every: '30s' }).data, { everyMs: 30_000, anchor: null });
  const anchored = parse({ every: '1h', anchor: '2026-01-01T01:00:00+01:00' }).data;
  t.deepEqual(anchored, { everyMs: 3_600_000, anchor: '2026-01-01T00:00:00.000Z' });
  t.deepEqual(parse(anchored).data, anchored);
  t.deepEqual(parse({ at: '2026-01-01T00:00Z' }).data, { at: '2026-01-01T00:00:00.000Z' });
});

const wrong: readonly (readonly [schedule: object, field: string])[] = [
  [{}, 'cron'],
  [{ cron: '* * * * *', every: '1m' }, 'cron'],
  [{ every: '1m', timezone: 'UTC' }, 'timezone'],
  [{ at: '2026-01-01T00:00:00Z', anchor: '2026-01-01T00:00:00Z' }, 'anchor'],
  [{ every: '10ms' }, 'every'],
  [{ at: '2026-01-01T00:00:00' }, 'at'],
  [{ at: 'soon' }, 'at'],
];
for (const [schedule, field] of wrong) {
  test(`the schedule ${JSON.stringify(schedule)} is refused because of ${field}`, (t) => {
    const { error } = scheduleSchema.safeParse(schedule);
    t.deepEqual(error?.issues[0]?.path, [field]);
  });
}

test('cron and time zone are checked when a job is stored', (t) => {
  const job = (schedule: object) => jobSchema.parse({ name: 'j', command: ['true'], schedule });
  t.throws(() => checkSchedule(job({ cron: '* * *' })), { message: /schedule.cron/ });
  t.throws(() => checkSchedule(job({ cron: '61 * * * *' })), { message: /schedule.cron/ });
  t.throws(() => checkSchedule(job({ cron: 'H * * * *' })), { message: /schedule.cron/ });
  t.notThrows(() => checkSchedule(job({ cron: '0 0 * * THU' })));
  const nowhere = job({ cron: '* * * * *', timezone: 'Nowhere/Town' });
  t.throws(() => checkSchedule(nowhere), { message: /schedule.timezone/ });
  t.notThrows(() => checkSchedule(job({ every: '1m' })));
});
