import { z } from 'zod';
import { DAY_MS, durationSchema, instantSchema, text } from './forms.ts';

/** When a job runs by itself. Its instants follow from this alone, wherever and whenever they are computed. */
export type Schedule = CronSchedule | IntervalSchedule | OnceSchedule;

/** Five fields, or six with seconds first, in the local time of a zone. */
export interface CronSchedule {
  readonly cron: string;
  readonly timezone: string;
}

/** Every so often, counted from the anchor; from 1970 when there is none. No instant lies before an anchor. */
export interface IntervalSchedule {
  readonly everyMs: number;
  readonly anchor: string | null;
}

/** Once. */
export interface OnceSchedule {
  readonly at: string;
}

/** A schedule as the API shows it. */
export type ScheduleView =
  | CronSchedule
  | OnceSchedule
  | { readonly every: string; readonly anchor: string | null };

const everySchema = durationSchema(1_000, 366 * DAY_MS);

/** `everyMs` is another way to write `every`. */
export const scheduleSchema = z
  .strictObject({
    cron: text(200).optional(),
    timezone: text(100).optional(),
    every: everySchema.optional(),
    everyMs: everySchema.optional(),
    anchor: instantSchema.nullable().optional(),
    at: instantSchema.optional(),
  })
  .transform((given, context): Schedule => {
    const { cron, timezone, anchor, at } = given;
    const everyMs = given.every ?? given.everyMs;
    const refuse = (field: string, message: string) => {
      context.addIssue({ code: 'custom', path: [field], message });
      return z.NEVER;
    };
    const kinds = [cron, everyMs, at].filter((each) => each !== undefined);
    if (kinds.length !== 1) return refuse('cron', 'expected exactly one of cron, every and at');
    if (timezone !== undefined && cron === undefined) {
      return refuse('timezone', 'expected nothing: only cron has a time zone');
    }
    if (anchor !== undefined && everyMs === undefined) {
      return refuse('anchor', 'expected nothing: only every has an anchor');
    }
    if (cron !== undefined) return { cron, timezone: timezone ?? 'UTC' };
    if (everyMs !== undefined) return { everyMs, anchor: anchor ?? null };
    return { at: at ?? '' };
  });
