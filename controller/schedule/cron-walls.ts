import type { Instants } from './backlog.ts';

/** The fields of a cron expression, each with all the values that it takes, in rising order. */
export interface CronFields {
  readonly seconds: readonly number[];
  readonly minutes: readonly number[];
  readonly hours: readonly number[];
  /** From 1 to 12. */
  readonly months: readonly number[];
  readonly isDay: (day: CalendarDay) => boolean;
}

export interface CalendarDay {
  readonly date: number;
  readonly daysInMonth: number;
  /** From 0, Sunday. */
  readonly weekday: number;
}

const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** A 29th of February that is a certain weekday comes again after 40 years at the latest. */
const MOST_MONTHS = 41 * 12;

/**
 * The wall times of a cron expression, as if no clock were ever changed: numbers that are instants in UTC.
 * Pure.
 */
export function cronWalls(fields: CronFields): Instants {
  return (after) => {
    let day = Math.floor(after / DAY_MS) * DAY_MS;
    let isFound = isDayWanted(fields, day);
    let last = after;
    return () => {
      for (;;) {
        const time = isFound ? nextTime(fields, last - day) : null;
        if (time !== null) {
          last = day + time;
          return last;
        }
        const next = nextDay(fields, day + DAY_MS);
        if (next === null) return null;
        day = next;
        last = Math.max(last, day - 1);
        isFound = true;
      }
    };
  };
}

/** The first day from one on that is wanted, as its midnight; null: there is none. */
function nextDay(fields: CronFields, from: number): number | null {
  let day = from;
  for (let months = 0; months < MOST_MONTHS; months += 1) {
    const date = new Date(day);
    const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
    const end = Date.UTC(year, month + 1, 1);
    if (fields.months.includes(month + 1)) {
      for (; day < end; day += DAY_MS) if (isDayWanted(fields, day)) return day;
    }
    day = end;
  }
  return null;
}

function isDayWanted({ months, isDay }: CronFields, day: number): boolean {
  const date = new Date(day);
  const [year, month] = [date.getUTCFullYear(), date.getUTCMonth()];
  if (!months.includes(month + 1)) return false;
  const daysInMonth = new Date(Date.UTC(year, month + 1, 0)).getUTCDate();
  return isDay({ date: date.getUTCDate(), daysInMonth, weekday: date.getUTCDay() });
}

/** The first time of a day after one, in milliseconds since midnight; null: there is none. */
function nextTime({ hours, minutes, seconds }: CronFields, after: number): number | null {
  for (const hour of hours) {
    if ((hour + 1) * HOUR_MS <= after) continue;
    for (const minute of minutes) {
      const whole = hour * HOUR_MS + minute * MINUTE_MS;
      if (whole + MINUTE_MS <= after) continue;
      for (const second of seconds) {
        const time = whole + second * SECOND_MS;
        if (time > after) return time;
      }
    }
  }
  return null;
}
