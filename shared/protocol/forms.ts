/** The forms of values that users write, shared by all that they may send. */
import { z } from 'zod';
import { formatDurationMs, parseDurationMs } from '../kernel/duration.ts';
import { formatSizeBytes, parseSizeBytes } from '../kernel/size.ts';

export const text = (max: number, min = 0) =>
  z
    .string()
    .min(min)
    .max(max)
    .refine((value) => !value.includes('\0'), 'must not contain NUL');

/** A duration as users write it: `250ms`, `30s`, `10m`, or milliseconds as a number. Parsed to milliseconds. */
export const durationSchema = (minMs: number, maxMs: number) =>
  z.union([z.string(), z.number()]).transform((value, context) => {
    const ms = typeof value === 'number' ? value : parseDurationMs(value);
    if (ms !== null && Number.isInteger(ms) && ms >= minMs && ms <= maxMs) return ms;
    const range = `${formatDurationMs(minMs)} to ${formatDurationMs(maxMs)}`;
    context.addIssue({
      code: 'custom',
      message: `expected a duration like 250ms, 2s or 10m, or milliseconds as a number; ${range}`,
    });
    return z.NEVER;
  });

const INSTANT_FORM =
  /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/** An instant as users write it, ISO 8601 with its distance from UTC. Parsed to the same instant in UTC. */
export const instantSchema = z.string().transform((value, context) => {
  const ms = INSTANT_FORM.test(value) ? Date.parse(value) : Number.NaN;
  if (!Number.isNaN(ms)) return new Date(ms).toISOString();
  context.addIssue({
    code: 'custom',
    message: 'expected an instant like 2026-01-31T03:00:00Z or 2026-01-31T03:00:00+01:00',
  });
  return z.NEVER;
});

export const DAY_MS = 86_400_000;

/** A size as users write it: `512kb`, `16mb`, or bytes as a number. Parsed to bytes. */
export const sizeSchema = (minBytes: number, maxBytes: number) =>
  z.union([z.string(), z.number()]).transform((value, context) => {
    const bytes = typeof value === 'number' ? value : parseSizeBytes(value);
    if (bytes !== null && Number.isInteger(bytes) && bytes >= minBytes && bytes <= maxBytes) {
      return bytes;
    }
    const range = `${formatSizeBytes(minBytes)} to ${formatSizeBytes(maxBytes)}`;
    context.addIssue({
      code: 'custom',
      message: `expected a size like 512kb, 16mb or 1gb, or bytes as a number; ${range}`,
    });
    return z.NEVER;
  });
