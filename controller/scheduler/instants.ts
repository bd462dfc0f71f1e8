import type { Job } from '@understudy/shared/protocol/api';
import type { CronSchedule, Schedule } from '@understudy/shared/protocol/schedule';
import { messageOf } from '@understudy/shared/runtime/errors';
import { CronExpressionParser } from 'cron-parser';
import type { Instants } from '../schedule/backlog.ts';
import { type CalendarDay, type CronFields, cronWalls } from '../schedule/cron-walls.ts';
import { intervalInstants, onceInstants } from '../schedule/interval.ts';
import { wallInstants } from '../schedule/wall-time.ts';
import { Refusal } from '../work/refusal.ts';

const HOURS = 24;
/** As `en-US` writes an instant: 3/29/2026, 03:30:00. */
const PARTS = /^(\d+)\/(\d+)\/(\d+), (\d+):(\d+):(\d+)$/;

/** The instants of a schedule. Throws when cron or time zone can't be understood. */
export function instantsOf(schedule: Schedule): Instants {
  if ('cron' in schedule) return cronInstants(schedule);
  if ('at' in schedule) return onceInstants(Date.parse(schedule.at));
  const { everyMs, anchor } = schedule;
  return intervalInstants(everyMs, anchor === null ? 0 : Date.parse(anchor));
}

/** The first instants of a schedule after one: so many, if there are. */
export function nextInstants(schedule: Schedule, after: number, count: number): number[] {
  const walk = instantsOf(schedule)(after);
  const found: number[] = [];
  while (found.length < count) {
    const at = walk();
    if (at === null) break;
    found.push(at);
  }
  return found;
}

/** Refuses a job whose schedule can't be understood. */
export function checkSchedule({ schedule }: Job): void {
  if (schedule === null || !('cron' in schedule)) return;
  const { cron, timezone } = schedule;
  if (!isTimezone(timezone)) {
    throw invalid(
      'schedule.timezone',
      timezone,
      'the name of a time zone, like UTC or Europe/Rome',
    );
  }
  if (![5, 6].includes(cron.trim().split(/\s+/).length)) {
    throw invalid('schedule.cron', cron, 'five or six fields, like */5 * * * *');
  }
  // The library draws lots for it, and each controller would draw its own.
  if (/\bH\b/i.test(cron)) throw invalid('schedule.cron', cron, 'fields without H');
  try {
    CronExpressionParser.parse(cron, { tz: timezone });
  } catch (error) {
    throw invalid('schedule.cron', cron, `a cron expression (${messageOf(error)})`);
  }
}

/**
 * On days on which the clocks change: a schedule for every hour follows the time that passes, so it comes in
 * each of the hours that there are. Any other follows the clock on the wall: what falls into the hour that is
 * left out comes as much later, and what falls into the hour that comes twice comes the first time.
 */
function cronInstants({ cron, timezone }: CronSchedule): Instants {
  const fields = fieldsOf(cron);
  const isPassing = fields.hours.length === HOURS;
  return wallInstants({ walls: cronWalls(fields), offsetAt: offsetIn(timezone), isPassing });
}

/** What a cron expression says; the library only reads it. */
function fieldsOf(cron: string): CronFields {
  const { second, minute, hour, dayOfMonth, month, dayOfWeek } = CronExpressionParser.parse(cron, {
    tz: 'UTC',
  }).fields;
  const dates = new Set<number | string>(dayOfMonth.values);
  const weekdays = new Set<number | string>(dayOfWeek.values.map((day) => (day === 7 ? 0 : day)));
  const lastWeekdays = dayOfWeek.values
    .filter((day) => String(day).endsWith('L'))
    .map((day) => Number.parseInt(String(day), 10) % 7);
  const isDate = ({ date, daysInMonth }: CalendarDay) =>
    dates.has(date) || (dayOfMonth.hasLastChar && date === daysInMonth);
  const isWeekday = ({ date, daysInMonth, weekday }: CalendarDay) =>
    (weekdays.has(weekday) &&
      (dayOfWeek.nthDay <= 0 || Math.ceil(date / 7) === dayOfWeek.nthDay)) ||
    (date + 7 > daysInMonth && lastWeekdays.includes(weekday));
  // Where both are said, one of them is enough.
  const isEither = !dayOfMonth.isWildcard && !dayOfWeek.isWildcard;
  return {
    ...{ seconds: [...second.values], minutes: [...minute.values], hours: [...hour.values] },
    months: [...month.values],
    isDay: (day) => (isEither ? isDate(day) || isWeekday(day) : isDate(day) && isWeekday(day)),
  };
}

/** How far a zone is ahead of UTC, as the calendar of the runtime has it. */
function offsetIn(timezone: string): (instant: number) => number {
  if (timezone === 'UTC') return () => 0;
  const format = formatOf(timezone);
  return (instant) => {
    const whole = Math.floor(instant / 1_000) * 1_000;
    const [, month, day, year, hour, minute, second] = (PARTS.exec(format.format(whole)) ?? []).map(
      Number,
    );
    const wall = Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute, second);
    return wall - whole;
  };
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** To make one takes as long as to use it a hundred times. */
function formatOf(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  const numeric = { year: 'numeric', month: 'numeric', day: 'numeric' } as const;
  const time = { hour: 'numeric', minute: 'numeric', second: 'numeric' } as const;
  const made = new Intl.DateTimeFormat('en-US', {
    ...numeric,
    ...time,
    ...{ timeZone, hourCycle: 'h23', calendar: 'gregory', numberingSystem: 'latn' },
  });
  formats.set(timeZone, made);
  return made;
}

function isTimezone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function invalid(field: string, value: string, expected: string): Refusal {
  return new Refusal('invalid', `${field} is not valid`, [{ field, value, expected }]);
}
