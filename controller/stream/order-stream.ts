import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { OrderWire } from '@understudy/shared/protocol/agent';
import type { OrderStream } from '../work/agent-entry.ts';
import { eventText, MOST_UNREAD_BYTES, STREAM_HEADERS } from './sse.ts';

/** Gives the text of an order. A sign of life goes to each agent in turn: it is written once. */
export function orderTexts(): (order: OrderWire) => string {
  let last: OrderWire | null = null;
  let text = '';
  return (order) => {
    if (order !== last) [last, text] = [order, eventText({ type: order.type, data: order })];
    return text;
  };
}

/** The connection on which an answer may begin now; null: one before it on the same connection is not over. */
export function ownSocketOf(request: IncomingMessage, response: ServerResponse): Socket | null {
  return response.socket === request.socket ? request.socket : null;
}

/**
 * Answers a request with a stream of orders that ends with its connection. `onEnd` is called once, whoever ended
 * it. Each agent holds one and is told some times a second that its controller lives: so what is sent goes
 * straight to the socket, once the head of the answer has, in one piece with all else of the same moment.
 */
export function openOrderStream(
  response: ServerResponse,
  { socket, textOf, onEnd }: OrderStreamParts,
): OrderStream {
  let isOver = false;
  let waiting = '';
  response.removeHeader('Transfer-Encoding');
  response.writeHead(200, { ...STREAM_HEADERS, Connection: 'close' });
  // The head travels with the first order.
  socket.cork();
  response.flushHeaders();
  process.nextTick(() => process.nextTick(() => socket.uncork()));
  const flush = () => {
    if (waiting === '' || socket.destroyed) return;
    socket.write(waiting);
    waiting = '';
    if (socket.writableLength > MOST_UNREAD_BYTES) response.destroy();
  };
  const end = () => {
    if (isOver) return;
    isOver = true;
    flush();
    response.end();
    onEnd();
  };
  response.once('close', end);
  return {
    send: (order) => {
      if (isOver) return;
      if (waiting === '') process.nextTick(flush);
      waiting += textOf(order);
    },
    close: end,
  };
}

export interface OrderStreamParts {
  readonly socket: Socket;
  readonly textOf: (order: OrderWire) => string;
  readonly onEnd: () => void;
}
