import { PassThrough } from 'node:stream';
import type Koa from 'koa';

/** A stream of Server-Sent Events to one client. */
export interface EventStream {
  send(event: { readonly type: string; readonly id?: string; readonly data: unknown }): void;
  close(): void;
}

/** A client that reads so slowly is cut off: memory must stay bounded. */
const MOST_UNREAD_BYTES = 16 * 1024 * 1024;

/** Answers a request with a stream of events. `onEnd` is called once, whoever ended it. */
export function openEventStream(context: Koa.Context, onEnd: () => void): EventStream {
  const body = new PassThrough();
  context.req.socket.setNoDelay(true);
  context.req.setTimeout(0);
  context.set('Content-Type', 'text/event-stream; charset=utf-8');
  context.set('Cache-Control', 'no-store');
  context.set('X-Accel-Buffering', 'no');
  context.status = 200;
  context.body = body;
  let isOver = false;
  const end = () => {
    if (isOver) return;
    isOver = true;
    body.end();
    onEnd();
  };
  context.res.once('close', end);
  return {
    send: ({ type, id, data }) => {
      if (isOver) return;
      const name = id === undefined ? '' : `id: ${id}\n`;
      body.write(`${name}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
      if (body.writableLength + context.res.writableLength > MOST_UNREAD_BYTES) {
        context.res.destroy();
        end();
      }
    },
    close: end,
  };
}
