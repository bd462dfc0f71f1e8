import type Koa from 'koa';
import type { z } from 'zod';
import { Refusal } from '../work/refusal.ts';

/** However much is wrong with an input, what is said of it stays readable. */
const MOST_FIELDS = 20;
const MOST_SHOWN = 200;

/**
 * Checks an input; refuses with the fields that are wrong, what each holds, unless it is secret, and what is
 * expected.
 */
export function check<T extends z.ZodType>(
  schema: T,
  input: unknown,
  secrecy: 'open' | 'secret' = 'open',
): z.output<T> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const { issues } = result.error;
  const details = issues.slice(0, MOST_FIELDS).map((issue) => ({
    field: cut(issue.path.join('.')),
    value: secrecy === 'secret' ? '***' : preview(valueAt(input, issue.path)),
    expected: cut(issue.message),
  }));
  const summary = details.map(({ field, expected }) => `${field || 'body'}: ${expected}`);
  const more = issues.length - details.length;
  if (more > 0) summary.push(`and ${more} more`);
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
  const text = asJson(value);
  return text.length <= MOST_SHOWN ? value : cut(text);
}

function asJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    // Nested more deeply than anything that could be meant.
    return `${Array.isArray(value) ? '[' : '{'}`.padEnd(MOST_SHOWN + 1, '.');
  }
}

function cut(text: string): string {
  return text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN)}...`;
}
