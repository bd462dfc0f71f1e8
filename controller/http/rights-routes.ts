import { formatTerm } from '@understudy/shared/kernel/term';
import { instantSchema } from '@understudy/shared/protocol/forms';
import {
  type AuditView,
  auditViewSchema,
  madeTokenSchema,
  type TokenView,
  tokenRequestSchema,
  tokenViewSchema,
} from '@understudy/shared/protocol/rights';
import { pageSchema } from '@understudy/shared/protocol/views';
import { z } from 'zod';
import type { AuditRecord } from '../security/audit.ts';
import type { TokenRecord } from '../security/tokens.ts';
import { callerOf } from './admission.ts';
import type { AppParts } from './app.ts';
import { Routes } from './routes.ts';

const auditQuerySchema = z.object({
  actor: z.string().optional().describe('the name of a token'),
  action: z.string().optional().describe('for instance job.apply'),
  subject: z.string().optional().describe('the name of a job, agent, token or secret, or a run'),
  since: instantSchema.optional(),
  until: instantSchema.optional(),
  after: z
    .string()
    .regex(/^\d{1,18}$/, 'expected the seq of an entry')
    .optional()
    .describe('entries older than this one'),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

/** Who may do what, and who did what. */
export function rightsRoutes({ tokens, reader }: AppParts): Routes {
  const routes = new Routes('/api/v1');
  routes.get(
    '/tokens',
    {
      summary: 'The tokens that were made, without their values.',
      needs: 'admin',
      answers: { 200: { what: 'the tokens', body: pageSchema(tokenViewSchema) } },
    },
    (context) => {
      context.body = { items: tokens.list().map(tokenView), next: null };
    },
  );
  routes.post(
    '/tokens',
    {
      summary: 'Makes a token. Its value is in this answer and can never be read again.',
      needs: 'admin',
      audited: 'token.create',
      body: tokenRequestSchema,
      answers: { 201: { what: 'the token with its value', body: madeTokenSchema } },
      errors: ['token-exists', 'too-many', 'store-away'],
    },
    async (context, { body, by }) => {
      const { name, role, agent, expiresIn } = body;
      const request = { name, role, agent, expiresInMs: expiresIn };
      const { record, value } = await tokens.create(
        request,
        callerOf(context).name,
        by(name, agent === null ? [role] : [role, agent]),
      );
      context.status = 201;
      context.set('Cache-Control', 'no-store');
      context.body = { ...tokenView(record), token: value };
    },
  );
  routes.delete(
    '/tokens/:name',
    {
      summary: 'Revokes a token: from now on it is refused, and what it had opened is closed.',
      needs: 'admin',
      audited: 'token.revoke',
      answers: { 204: { what: 'it is revoked' } },
      errors: ['unknown-token', 'store-away'],
    },
    async (context, { by }) => {
      const name = context.params['name'] ?? '';
      await tokens.revoke(name, by(name));
      context.status = 204;
    },
  );
  routes.get(
    '/audit',
    {
      summary: 'Who changed what, when and from where, newest first.',
      needs: 'admin',
      query: auditQuerySchema,
      answers: { 200: { what: 'a page of entries', body: pageSchema(auditViewSchema) } },
      errors: ['store-away'],
    },
    async (context, { query }) => {
      const { actor = null, action = null, subject = null, since, until, after, limit } = query;
      const found = await reader.audit({
        ...{ actor, action, subject, limit: limit + 1 },
        since: since === undefined ? null : Date.parse(since),
        until: until === undefined ? null : Date.parse(until),
        after: after === undefined ? null : BigInt(after),
      });
      const items = found.slice(0, limit).map(auditView);
      context.body = { items, next: found.length > limit ? (items.at(-1)?.seq ?? null) : null };
    },
  );
  return routes;
}

function tokenView(record: TokenRecord): TokenView {
  const { name, role, agent, createdAt, createdBy, expiresAt } = record;
  return {
    ...{ name, role, agent, createdBy },
    createdAt: new Date(createdAt).toISOString(),
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
  };
}

function auditView({ seq, at, term, ...rest }: AuditRecord): AuditView {
  return {
    ...rest,
    seq: seq.toString(),
    at: new Date(at).toISOString(),
    term: formatTerm(term),
  };
}
