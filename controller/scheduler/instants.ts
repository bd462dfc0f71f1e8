import type { Job } from '@understudy/shared/protocol/api';
import type { CronSchedule, Schedule } from '@understudy/shared/protocol/schedule';
import { messageOf } from '@understudy/shared/runtime/errors';
import { type CronExpression, CronExpressionParser } from 'cron-parser';
import type { Instants } from '../schedule/backlog.ts';
import { intervalInstants, onceInstants } from '../schedule/interval.ts';
import { Refusal } from '../work/refusal.ts';

/** When clocks change, what the library gives depends on where it begins: it begins well before that hour. */
const RUN_UP_MS = 2 * 3_600_000;

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
  try {
    CronExpressionParser.parse(cron, { tz: timezone });
  } catch (error) {
    throw invalid('schedule.cron', cron, `a cron expression (${messageOf(error)})`);
  }
}

/**
 * On days on which the clocks change: with `*` as its hours a schedule follows the time that passes, and so
 * it comes in each of the hours that there are. Any other follows the local time: what falls into the hour
 * that is left out comes as much later, and what falls into the hour that comes twice comes the first time.
 */
function cronInstants({ cron, timezone }: CronSchedule): Instants {
  return (after) => {
    const hasHours = !CronExpressionParser.parse(cron, { tz: timezone }).fields.hour.isWildcard;
    const currentDate = new Date(hasHours ? after - RUN_UP_MS : after);
    const expression = CronExpressionParser.parse(cron, { currentDate, tz: timezone });
    let last = after;
    return () => {
      let at = nextOf(expression);
      while (at !== null && at <= last) at = nextOf(expression);
      last = at ?? last;
      return at;
    };
  };
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

/** An expression that is never true, like the 30th of February, has no instants. */
function nextOf(expression: CronExpression): number | null {
  try {
    return expression.next().getTime();
  } catch {
    return null;
  }
}
