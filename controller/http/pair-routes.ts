import Router from '@koa/router';
import { formatTerm } from '@understudy/shared/kernel/term';
import type { AgentView, PairView } from '@understudy/shared/protocol/api';
import { eventPlace } from '@understudy/shared/protocol/events';
import { DAY_MS, durationSchema } from '@understudy/shared/protocol/forms';
import { z } from 'zod';
import { sendEvents } from '../stream/events.ts';
import { openEventStream } from '../stream/sse.ts';
import { Refusal } from '../work/refusal.ts';
import { agentView, eventView } from '../work/views.ts';
import type { AppParts } from './app.ts';
import { bodyOf, check } from './input.ts';
import { makeMetrics } from './metrics.ts';
import { summaryPage } from './summary-page.ts';

const eventsSchema = z.object({
  after: z
    .string()
    .regex(/^\d{1,18}$/, 'expected the seq of an event')
    .optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

/** So long what runs on the agent may go on; null: as long as it likes. */
const drainSchema = z.strictObject({
  deadline: durationSchema(0, 366 * DAY_MS)
    .nullable()
    .default(null),
});

/** Events of the pair have a cursor of their own: two heartbeats tell them, each in its time. */
const pairEventsSchema = z.object({
  after: z
    .string()
    .refine((text) => eventPlace(text) !== null, 'expected the id of an event of the pair')
    .optional(),
  limit: eventsSchema.shape.limit,
});
const aboutSchema = z.object({ about: z.enum(['work', 'pair']).default('work') });

/** The pair, its agents, what happened, and how this process is. */
export function pairRoutes(parts: AppParts): Router {
  const { context: tenure, reader, state } = parts;
  const metrics = makeMetrics(() => pairOf(parts));
  const router = new Router();
  const identity = { term: formatTerm(tenure.term), node: tenure.node };
  router.get('/healthz', (context) => {
    context.body = identity;
  });
  router.get('/metrics', async (context) => {
    context.type = metrics.contentType;
    context.body = await metrics.metrics();
  });
  router.get('/', (context) => {
    context.type = 'html';
    context.body = summaryPage(pairOf(parts));
  });
  router.get('/api/v1/pair', (context) => {
    context.body = pairOf(parts);
  });
  router.get('/api/v1/agents', (context) => {
    context.body = { items: agentsOf(parts), next: null };
  });
  router.post('/api/v1/agents/:id/drain', async (context) => {
    const id = context.params['id'] ?? '';
    const { deadline } = check(drainSchema, bodyOf(context) ?? {});
    await parts.agents.drain(id, deadline);
    context.body = agentOf(parts, id);
  });
  router.post('/api/v1/agents/:id/resume', async (context) => {
    const id = context.params['id'] ?? '';
    await parts.agents.resume(id);
    context.body = agentOf(parts, id);
  });
  router.delete('/api/v1/agents/:id', async (context) => {
    await parts.agents.remove(context.params['id'] ?? '');
    context.status = 204;
  });
  router.get('/api/v1/events', async (context) => {
    if (check(aboutSchema, context.query).about === 'pair') {
      const { after = '', limit } = check(pairEventsSchema, context.query);
      const items = await reader.pairEvents(eventPlace(after), limit);
      context.body = { items, next: items.length === limit ? (items.at(-1)?.id ?? null) : null };
      return;
    }
    const { after, limit } = check(eventsSchema, context.query);
    const found = await reader.events(after === undefined ? null : BigInt(after), limit);
    const items = found.map(eventView);
    context.body = { items, next: items.length === limit ? (items.at(-1)?.seq ?? null) : null };
  });
  router.get('/api/v1/events/stream', (context) => {
    const last = context.get('last-event-id');
    const { after } = check(eventsSchema, last === '' ? {} : { after: last });
    const over = new AbortController();
    const close = () => stream.close();
    const stream = openEventStream(context, () => {
      parts.isClosing.removeEventListener('abort', close);
      over.abort();
    });
    parts.isClosing.addEventListener('abort', close);
    if (parts.isClosing.aborted) close();
    void sendEvents({
      ...{ state, reader, stream, signal: over.signal },
      after: after === undefined ? null : BigInt(after),
    });
  });
  return router;
}

function agentsOf({ agents, state }: AppParts): AgentView[] {
  return agents
    .all()
    .map(({ record, isConnected }) =>
      agentView(record, isConnected, state.countOnAgent(record.id)),
    );
}

function agentOf(parts: AppParts, id: string): AgentView {
  const view = agentsOf(parts).find((agent) => agent.id === id);
  if (view === undefined) throw new Refusal('unknown-agent-id', `there is no agent ${id}`);
  return view;
}

function pairOf(parts: AppParts): PairView {
  const { context: tenure, state } = parts;
  const agents = { connected: 0, disconnected: 0, lost: 0 };
  for (const { state: each } of agentsOf(parts)) agents[each] += 1;
  return {
    pair: tenure.pair,
    node: tenure.node,
    term: formatTerm(tenure.term),
    since: new Date(parts.since).toISOString(),
    store: tenure.committer.isAway ? 'away' : 'connected',
    failsafe: parts.isFailsafe(),
    agents,
    runs: state.counts(),
  };
}
