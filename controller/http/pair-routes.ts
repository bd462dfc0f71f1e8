import { formatTerm } from '@understudy/shared/kernel/term';
import type { AgentView, PairView } from '@understudy/shared/protocol/api';
import { eventPlace, pairEventSchema } from '@understudy/shared/protocol/events';
import { DAY_MS, durationSchema } from '@understudy/shared/protocol/forms';
import {
  agentViewSchema,
  eventViewSchema,
  pageSchema,
  pairViewSchema,
} from '@understudy/shared/protocol/views';
import { z } from 'zod';
import { sendEvents } from '../stream/events.ts';
import { openEventStream } from '../stream/sse.ts';
import { Refusal } from '../work/refusal.ts';
import { agentView, eventView } from '../work/views.ts';
import type { AppParts } from './app.ts';
import { check } from './input.ts';
import { type PathParameters, Routes } from './routes.ts';

const SEQ_FORM = /^\d{1,18}$/;
const SEQ_EXPECTED = 'expected the seq of an event';
const lastSeenSchema = z.object({ 'Last-Event-ID': z.string().regex(SEQ_FORM, SEQ_EXPECTED) });

/** Events of the pair have a cursor of their own: two heartbeats tell them, each in its time. */
const eventsSchema = z
  .object({
    about: z.enum(['work', 'pair']).default('work').describe('what the heartbeats decided: pair'),
    after: z.string().optional().describe('`next` of the page before'),
    limit: z.coerce.number().int().min(1).max(1_000).default(100),
  })
  .superRefine(({ about, after }, context) => {
    if (after === undefined) return;
    const isGood = about === 'pair' ? eventPlace(after) !== null : SEQ_FORM.test(after);
    const message = about === 'pair' ? 'expected the id of an event of the pair' : SEQ_EXPECTED;
    if (!isGood) context.addIssue({ code: 'custom', path: ['after'], message });
  });

const drainSchema = z
  .strictObject({
    deadline: durationSchema(0, 366 * DAY_MS)
      .nullable()
      .default(null)
      .describe('so long what runs on the agent may go on; null: as long as it likes'),
  })
  .prefault({});

/** The pair, its agents, and what happened. */
export function pairRoutes(parts: AppParts): Routes {
  const { agents, reader, state } = parts;
  const routes = new Routes('/api/v1');
  routes.get(
    '/pair',
    {
      summary: 'The pair as its active controller sees it.',
      needs: 'viewer',
      answers: { 200: { what: 'the pair', body: pairViewSchema } },
    },
    (context) => {
      context.body = pairOf(parts);
    },
  );
  routes.get(
    '/agents',
    {
      summary: 'All agents.',
      needs: 'viewer',
      answers: { 200: { what: 'the agents', body: pageSchema(agentViewSchema) } },
    },
    (context) => {
      context.body = { items: agentsOf(parts), next: null };
    },
  );
  const theAgent = { what: 'the agent', body: agentViewSchema };
  routes.post(
    '/agents/:id/drain',
    {
      summary: 'Gives an agent no more runs; with a deadline, what runs on it then is ended.',
      needs: 'operator',
      audited: 'agent.drain',
      body: drainSchema,
      answers: { 200: theAgent },
      errors: ['unknown-agent-id', 'store-away'],
    },
    async (context, { body: { deadline }, by }) => {
      const id = idOf(context);
      await agents.drain(id, deadline, by(id));
      context.body = agentOf(parts, id);
    },
  );
  routes.post(
    '/agents/:id/resume',
    {
      summary: 'Gives an agent runs again.',
      needs: 'operator',
      audited: 'agent.resume',
      answers: { 200: theAgent },
      errors: ['unknown-agent-id', 'store-away'],
    },
    async (context, { by }) => {
      const id = idOf(context);
      await agents.resume(id, by(id));
      context.body = agentOf(parts, id);
    },
  );
  routes.delete(
    '/agents/:id',
    {
      summary: 'Forgets an agent that is gone for good.',
      needs: 'operator',
      audited: 'agent.remove',
      answers: { 204: { what: 'it is forgotten' } },
      errors: ['unknown-agent-id', 'agent-in-use', 'store-away'],
    },
    async (context, { by }) => {
      const id = idOf(context);
      await agents.remove(id, by(id));
      context.status = 204;
    },
  );
  routes.get(
    '/events',
    {
      summary: 'What happened, oldest first: the first after a place, or the newest.',
      needs: 'viewer',
      query: eventsSchema,
      answers: {
        200: {
          what: 'a page of events',
          body: z.union([pageSchema(eventViewSchema), pageSchema(pairEventSchema)]),
        },
      },
      errors: ['store-away'],
    },
    async (context, { query: { about, after, limit } }) => {
      if (about === 'pair') {
        const items = await reader.pairEvents(eventPlace(after ?? ''), limit);
        context.body = { items, next: items.length === limit ? (items.at(-1)?.id ?? null) : null };
        return;
      }
      const found = await reader.events(after === undefined ? null : BigInt(after), limit);
      const items = found.map(eventView);
      context.body = { items, next: items.length === limit ? (items.at(-1)?.seq ?? null) : null };
    },
  );
  routes.get(
    '/events/stream',
    {
      summary: 'Events of the work plane as they are committed, as Server-Sent Events.',
      needs: 'viewer',
      headers: { 'Last-Event-ID': 'the seq of the last event that the client has' },
      answers: { 200: { what: 'one message an event', type: 'text/event-stream' } },
    },
    (context) => {
      const last = context.get('last-event-id');
      const after = last === '' ? null : check(lastSeenSchema, { 'Last-Event-ID': last });
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
        after: after === null ? null : BigInt(after['Last-Event-ID']),
      });
    },
  );
  return routes;
}

function idOf({ params }: { readonly params: PathParameters }): string {
  return params['id'] ?? '';
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

/** The pair as its active controller sees it. */
export function pairOf(parts: AppParts): PairView {
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
