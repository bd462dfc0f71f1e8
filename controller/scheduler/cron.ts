import type { Job } from '@understudy/shared/protocol/api';
import { messageOf } from '@understudy/shared/runtime/errors';
import { type CronExpression, CronExpressionParser } from 'cron-parser';
import type { Instants } from '../schedule/due.ts';
import { Refusal } from '../work/refusal.ts';

type Schedule = NonNullable<Job['schedule']>;

/** The instants of a schedule. Throws when cron or time zone can't be understood. */
export function instantsOf({ cron, timezone }: Schedule): Instants {
  const at = (currentDate: number): CronExpression =>
    CronExpressionParser.parse(cron, { currentDate: new Date(currentDate), tz: timezone });
  return {
    next: (after) => orNone(() => at(after).next().getTime()),
    previous: (before) => orNone(() => at(before).prev().getTime()),
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
function orNone(compute: () => number): number | null {
  try {
    return compute();
  } catch {
    return null;
  }
}
