import type { z } from 'zod';
import { Refusal } from '../work/refusal.ts';

/** Parses what a client sent; refuses with each field, what it holds, and what is expected. */
export function parse<T>(schema: z.ZodType<T>, given: unknown): T {
  const parsed = schema.safeParse(given, { reportInput: true });
  if (parsed.success) return parsed.data;
  const details = parsed.error.issues.map((issue) => ({
    field: issue.path.map(String).join('.'),
    value: shorten(valueAt(given, issue.path)),
    expected: issue.message,
  }));
  const fields = details.map(({ field }) => field || 'the request').join(', ');
  throw new Refusal('invalid', `not valid: ${fields}`, details);
}

function valueAt(given: unknown, path: readonly PropertyKey[]): unknown {
  let value = given;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

/** What is shown of a value has bounds. */
function shorten(value: unknown): unknown {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 200 ? (value ?? null) : `${text.slice(0, 200)}...`;
}
