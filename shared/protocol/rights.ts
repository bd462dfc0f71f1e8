import { z } from 'zod';
import { nameSchema } from './api.ts';
import { DAY_MS, durationSchema } from './forms.ts';

/** Roles of tokens. An admin may what an operator may, and an operator what a viewer may; an agent is apart. */
export const roles = ['admin', 'operator', 'viewer', 'agent'] as const;
export type Role = (typeof roles)[number];

const CENTURY_MS = 36_500 * DAY_MS;

/** A token that somebody wants. */
export const tokenRequestSchema = z
  .strictObject({
    name: nameSchema,
    role: z.enum(roles),
    agent: nameSchema
      .nullable()
      .default(null)
      .describe('with the role agent: the only agent that it is good for; null: any'),
    expiresIn: durationSchema(1_000, CENTURY_MS)
      .nullable()
      .default(null)
      .describe('null: valid until it is revoked'),
  })
  .refine(({ role, agent }) => agent === null || role === 'agent', {
    path: ['agent'],
    message: 'expected only together with the role agent',
  });

const instant = z.iso.datetime();

export const tokenViewSchema = z
  .object({
    name: nameSchema,
    role: z.enum(roles),
    agent: nameSchema.nullable().describe('the only agent that it is good for; null: any'),
    createdAt: instant,
    createdBy: z.string().describe('the name of the token with which it was made'),
    expiresAt: instant.nullable(),
  })
  .meta({ id: 'Token', description: 'A token that was made, without its value.' });
export type TokenView = Readonly<z.infer<typeof tokenViewSchema>>;

export const madeTokenSchema = z
  .object({ ...tokenViewSchema.shape, token: z.string().describe('to be sent as Bearer') })
  .meta({ id: 'MadeToken', description: 'A token with its value, which is shown once.' });
export type MadeToken = Readonly<z.infer<typeof madeTokenSchema>>;

export const auditViewSchema = z
  .object({
    seq: z.string(),
    at: instant,
    term: z.string(),
    actor: z.string().describe('the name of the token that was presented'),
    action: z.string(),
    subject: z.string(),
    address: z.string(),
    items: z.array(z.string()).readonly().describe('what was made or changed of the subject'),
    count: z.number().int().min(1).describe('so many times, in one group commit'),
  })
  .meta({ id: 'Audit', description: 'Something that somebody changed.' });
export type AuditView = Readonly<z.infer<typeof auditViewSchema>>;
