import type { Job } from '@understudy/shared/protocol/api';
import { messageOf } from '@understudy/shared/runtime/errors';
import { type CronExpression, CronExpressionParser } from 'cron-parser';
import type { Instants } from '../schedule/backlog.ts';
import { Refusal } from '../work/refusal.ts';

type Schedule = NonNullable<Job['schedule']>;

/** When clocks change, what the library gives depends on where it begins: it begins well before that hour. */
const RUN_UP_MS = 2 * 3_600_000;

/** The instants of a schedule. Throws when cron or time zone can't be understood. */
export function instantsOf({ cron, timezone }: Schedule): Instants {
  return (after) => {
    const hasHours = !CronExpressionParser.parse(cron, { tz: timezone }).fields.hour.isWildcard;
    const currentDate = new Date(hasHours ? after - RUN_UP_MS : after);
    const expression = CronExpressionParser.parse(cron, { currentDate, tz: timezone });
    return () => {
      let at = nextOf(expression);
      while (at !== null && at <= after) at = nextOf(expression);
      return at;
    };
  };
}

/** Refuses a job whose schedule can't be understood. */
export function checkSchedule({ schedule }: Job): void {
  if (schedule === null) return;
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
