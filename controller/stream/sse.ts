import { Readable } from 'node:stream';
import type Koa from 'koa';

export interface StreamedEvent {
  readonly type: string;
  readonly id?: string;
  readonly data: unknown;
}

/** A stream of Server-Sent Events to one client. */
export interface EventStream {
  send(event: StreamedEvent): void;
  /** The same, of an event that many streams are sent: see `eventText`. */
  sendText(text: string): void;
  close(): void;
}

/** A client that reads so slowly is cut off: memory must stay bounded. */
export const MOST_UNREAD_BYTES = 16 * 1024 * 1024;

export const STREAM_HEADERS = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-store',
  'X-Accel-Buffering': 'no',
} as const;

/** An event as it goes over the wire. */
export function eventText({ type, id, data }: StreamedEvent): string {
  const name = id === undefined ? '' : `id: ${id}\n`;
  return `${name}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** How its client knows where a stream ends: by what is said in it, or as cheaply as can be, by its connection. */
export type StreamEnd = 'said' | 'closed';

/**
 * Answers a request with a stream of events. `onEnd` is called once, whoever ended it. What is sent in one
 * moment goes out in one piece.
 */
export function openEventStream(
  context: Koa.Context,
  onEnd: () => void,
  streamEnd: StreamEnd = 'said',
): EventStream {
  const { req, res } = context;
  let isFlowing = false;
  // It only says when the answer begins and when it ends: a sign of life to each of many agents is to cost
  // no more than its way to the response.
  const body = new Readable({
    read: () => {
      isFlowing = true;
      flush();
    },
  });
  req.socket.setNoDelay(true);
  req.setTimeout(0);
  context.set(STREAM_HEADERS);
  context.status = 200;
  context.body = body;
  if (streamEnd === 'closed') {
    context.set('Connection', 'close');
    context.remove('Transfer-Encoding');
  }
  let isOver = false;
  let waiting = '';
  const flush = () => {
    if (waiting === '' || !isFlowing || res.destroyed) return;
    res.write(waiting);
    waiting = '';
    if (res.writableLength > MOST_UNREAD_BYTES) {
      res.destroy();
      end();
    }
  };
  const end = () => {
    if (isOver) return;
    isOver = true;
    flush();
    // What was sent before the answer began goes its way when it begins.
    if (waiting !== '') body.push(waiting);
    body.push(null);
    onEnd();
  };
  const sendText = (text: string) => {
    if (isOver) return;
    if (waiting === '') process.nextTick(flush);
    waiting += text;
  };
  res.once('close', end);
  return { send: (event) => sendText(eventText(event)), sendText, close: end };
}
