import type Koa from 'koa';
import type { z } from 'zod';
import { Refusal } from '../work/refusal.ts';

/** Checks an input; refuses with every field that is wrong, what it holds and what is expected. */
export function check<T extends z.ZodType>(schema: T, input: unknown): z.output<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const details = result.error.issues.map((issue) => ({
    field: issue.path.join('.'),
    value: preview(valueAt(input, issue.path)),
    expected: issue.message,
  }));
  const summary = details.map(({ field, expected }) => `${field || 'body'}: ${expected}`);
  throw new Refusal('invalid', summary.join('; '), details);
}

/** The JSON body of a request; `undefined` when it has none. */
export function bodyOf(context: Koa.Context): unknown {
  const { body } = context.request as { body?: unknown };
  return body;
}

const KEY_FORM = /^[\x21-\x7e]{1,255}$/;

/** The `Idempotency-Key` of a request; null when it has none. */
export function idempotencyKeyOf(context: Koa.Context): string | null {
  const key = context.get('idempotency-key');
  if (key === '') return null;
  if (KEY_FORM.test(key)) return key;
  throw new Refusal('invalid', 'Idempotency-Key: expected 1 to 255 visible ASCII characters');
}

function valueAt(input: unknown, path: readonly PropertyKey[]): unknown {
  let value = input;
  for (const key of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[key];
  }
  return value;
}

function preview(value: unknown): unknown {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value) ?? typeof value;
  return text.length <= 200 ? value : `${text.slice(0, 200)}...`;
}
