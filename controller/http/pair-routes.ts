import type Router from '@koa/router';
import { formatTerm } from '@understudy/shared/kernel/term';
import type { AgentView, PairView } from '@understudy/shared/protocol/api';
import { openEventFeed } from '../stream/event-feed.ts';
import { agentView, eventView } from '../work/views.ts';
import type { HttpParts } from './parts.ts';
import { eventQuerySchema, pageQuerySchema } from './query.ts';
import { parse } from './validate.ts';

/** The pair, its agents and its history. */
export function addPairRoutes(router: Router, parts: HttpParts): void {
  const { agents, reader, state } = parts;

  router.get('/api/v1/pair', (context) => {
    context.body = pairView(parts);
  });

  router.get('/api/v1/agents', (context) => {
    const { after, limit } = parse(pageQuerySchema, context.query);
    const found = agentViews(parts).filter(({ id }) => id > after);
    const items = found.slice(0, limit);
    context.body = { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null };
  });

  for (const [verb, draining] of [
    ['drain', true],
    ['resume', false],
  ] as const) {
    router.post(`/api/v1/agents/:id/${verb}`, async (context) => {
      const id = context.params['id'] ?? '';
      await agents.setDraining(id, draining);
      context.body = agentViews(parts).find((agent) => agent.id === id);
    });
  }

  router.get('/api/v1/events', async (context) => {
    const { after, limit } = parse(eventQuerySchema, context.query);
    const items = (await reader.events(after, limit)).map(eventView);
    context.body = { items, next: items.length === limit ? (items.at(-1)?.seq ?? null) : null };
  });

  router.get('/api/v1/events/stream', async (context) => {
    const lastSeen = context.get('last-event-id');
    const given = lastSeen === '' ? context.query : { after: lastSeen };
    const { after } = parse(eventQuerySchema, given);
    context.respond = false;
    await openEventFeed({ state, reader, after }, context.res);
  });
}

/** What the active controller knows of its pair, from memory. */
export function pairView(parts: HttpParts): PairView {
  const { context, state, since } = parts;
  const counts = { connected: 0, disconnected: 0, lost: 0 };
  for (const agent of agentViews(parts)) counts[agent.state] += 1;
  return {
    pair: context.pair,
    node: context.node,
    term: formatTerm(context.term),
    since: new Date(since).toISOString(),
    store: context.committer.isAway ? 'away' : 'connected',
    agents: counts,
    runs: state.counts(),
  };
}

function agentViews({ agents, state }: HttpParts): AgentView[] {
  return agents
    .all()
    .map(({ record, isConnected }) =>
      agentView(record, isConnected, state.countOnAgent(record.id)),
    );
}
