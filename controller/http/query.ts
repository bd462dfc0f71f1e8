import { nameSchema, runStates } from '@understudy/shared/protocol/api';
import type Koa from 'koa';
import { z } from 'zod';
import { Refusal } from '../work/refusal.ts';

const limit = z.coerce.number().int().min(1).max(1_000).default(100);
const whole = z.string().regex(/^\d{1,15}$/, 'expected a whole number');

/** Queries of lists: a cursor and a number. */
export const pageQuerySchema = z.object({ after: z.string().default(''), limit });

export const runQuerySchema = z.object({
  job: nameSchema.nullable().default(null),
  state: z.enum(runStates).nullable().default(null),
  agent: nameSchema.nullable().default(null),
  after: z.uuid().nullable().default(null),
  limit,
});

export const eventQuerySchema = z.object({
  after: whole.transform(BigInt).nullable().default(null),
  limit,
});

export const logQuerySchema = z.object({
  offset: whole.transform(Number).default(0),
  follow: z.enum(['true', 'false']).default('false'),
});

export const ordersQuerySchema = z.object({ agent: nameSchema, incarnation: z.uuid() });

/** The key that makes repeating a request safe; null when there is none. */
export function readIdempotencyKey(context: Koa.Context): string | null {
  const key = context.get('idempotency-key');
  if (key === '') return null;
  if (/^[\x20-\x7e]{1,255}$/.test(key)) return key;
  throw new Refusal('invalid', 'not valid: Idempotency-Key', [
    {
      field: 'Idempotency-Key',
      value: key.slice(0, 300),
      expected: '1 to 255 printable characters',
    },
  ]);
}
