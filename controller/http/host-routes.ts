import { formatTerm } from '@understudy/shared/kernel/term';
import { nameSchema } from '@understudy/shared/protocol/api';
import { version } from '@understudy/shared/runtime/version';
import { z } from 'zod';
import type { AppParts } from './app.ts';
import { makeMetrics } from './metrics.ts';
import { describeApi } from './openapi.ts';
import { pairOf } from './pair-routes.ts';
import { type Route, Routes } from './routes.ts';
import { summaryPage } from './summary-page.ts';

const identitySchema = z.object({ term: z.string(), node: nameSchema });

/**
 * Answered before all else, by `answerReadyz`: the heartbeat asks several times a second. It stands here to be
 * open to everybody and to be documented.
 */
export const readyzRoute: Route = {
  method: 'get',
  path: '/readyz',
  summary: 'Whether this controller may serve.',
  needs: 'nothing',
  answers: { 200: { what: 'it may', body: identitySchema } },
  errors: ['not-ready'],
};

/** How this process is, and what the API is; nothing about work, so everybody may ask. */
export function hostRoutes(parts: AppParts, all: () => readonly Route[]): Routes {
  const metrics = makeMetrics(() => pairOf(parts));
  const routes = new Routes();
  const { term, node } = parts.context;
  const identity = { term: formatTerm(term), node };
  routes.get(
    '/healthz',
    {
      summary: 'Whether this process lives.',
      needs: 'nothing',
      answers: { 200: { what: 'it does', body: identitySchema } },
    },
    (context) => {
      context.body = identity;
    },
  );
  routes.get(
    '/metrics',
    {
      summary: 'Figures for Prometheus.',
      needs: 'nothing',
      answers: { 200: { what: 'the figures', type: 'text/plain' } },
    },
    async (context) => {
      context.type = metrics.contentType;
      context.body = await metrics.metrics();
    },
  );
  routes.get(
    '/',
    {
      summary: 'A page for people.',
      needs: 'nothing',
      answers: { 200: { what: 'the page', type: 'text/html' } },
    },
    (context) => {
      context.type = 'html';
      context.body = summaryPage(pairOf(parts));
    },
  );
  let description: object | null = null;
  routes.get(
    '/api/v1/openapi.json',
    {
      summary: 'This document.',
      needs: 'nothing',
      answers: { 200: { what: 'OpenAPI 3.1', body: z.looseObject({ openapi: z.string() }) } },
    },
    (context) => {
      description ??= describeApi({ version, routes: all() });
      context.body = description;
    },
  );
  return routes;
}
