import type { ServerResponse } from 'node:http';
import type { OrderWire } from '@understudy/shared/protocol/agent';
import type { AgentService, OrderStream } from '../work/agents.ts';
import { EventStream } from './sse.ts';

/** Opens the stream of orders to a worker that has registered. Refuses one that has not. */
export function openOrderStream(
  agents: AgentService,
  who: { readonly agent: string; readonly incarnation: string },
  response: ServerResponse,
): void {
  agents.requireSession(who.agent, who.incarnation);
  const events = new EventStream(response);
  const stream: OrderStream = {
    send: (order: OrderWire) => events.send(order.type, JSON.stringify(order)),
    close: () => events.close(),
  };
  events.onClose(() => agents.disconnected(who.agent, stream));
  agents.connect(who.agent, who.incarnation, stream);
}
