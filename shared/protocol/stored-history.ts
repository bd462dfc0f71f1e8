import { z } from 'zod';
import { DAY_MS, durationSchema } from './forms.ts';

const ageSchema = durationSchema(1_000, 36_500 * DAY_MS).nullable();

/**
 * How long the runs of a job are kept once they are over, and how many. Null: without a limit. Left out: as
 * configured for all jobs. `ageMs` is another way to write `age`.
 */
export const retentionSchema = z
  .strictObject({
    age: ageSchema.optional(),
    ageMs: ageSchema.optional(),
    count: z.number().int().min(1).max(1_000_000_000).nullable().optional(),
  })
  .transform(({ age, ageMs, count }) => ({
    ...(age === undefined && ageMs === undefined ? {} : { ageMs: age === undefined ? ageMs : age }),
    ...(count === undefined ? {} : { count }),
  }));
export type Retention = z.infer<typeof retentionSchema>;

/** As the API shows it. */
export interface RetentionView {
  readonly age?: string | null;
  readonly count?: number | null;
}
