import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type EventStream,
  openEventStream,
  type StreamEnd,
} from '@understudy/controller/stream/sse';
import test, { type ExecutionContext } from 'ava';
import Koa from 'koa';

interface Opened {
  readonly stream: EventStream;
  /** Resolves with all that its client was sent, once it is over. */
  readonly text: Promise<string>;
  readonly ends: () => number;
  readonly leave: () => void;
}

/** A stream with one client. `begin` is what is sent in the moment in which it is opened. */
async function open(
  t: ExecutionContext,
  begin: (stream: EventStream) => void,
  streamEnd: StreamEnd = 'said',
): Promise<Opened> {
  const app = new Koa();
  let stream: EventStream | null = null;
  let ends = 0;
  app.use((context) => {
    const onEnd = () => {
      ends += 1;
    };
    stream = openEventStream(context, onEnd, streamEnd);
    begin(stream);
  });
  const server = createServer(app.callback()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const gone = new AbortController();
  const { port } = server.address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}`, { signal: gone.signal });
  if (stream === null) throw new Error('no stream was opened');
  return { stream, text: response.text(), ends: () => ends, leave: () => gone.abort() };
}

for (const streamEnd of ['said', 'closed'] as const) {
  test(`events arrive in the order in which they were sent, the end is ${streamEnd}`, async (t) => {
    const begin = (opened: EventStream) => opened.send({ type: 'a', data: 1 });
    const { stream, text, ends } = await open(t, begin, streamEnd);
    stream.send({ type: 'b', id: '5', data: 'ü' });
    stream.sendText('event: c\ndata: 3\n\n');
    await new Promise((resolve) => setTimeout(resolve, 20));
    stream.send({ type: 'd', data: 4 });
    stream.close();
    stream.send({ type: 'late', data: 5 });
    t.is(
      await text,
      'event: a\ndata: 1\n\nid: 5\nevent: b\ndata: "ü"\n\nevent: c\ndata: 3\n\nevent: d\ndata: 4\n\n',
    );
    t.is(ends(), 1);
  });
}

test('what is sent and closed in the moment in which it is opened arrives', async (t) => {
  const { text, ends } = await open(t, (stream) => {
    stream.send({ type: 'a', data: 1 });
    stream.close();
  });
  t.is(await text, 'event: a\ndata: 1\n\n');
  t.is(ends(), 1);
});

test('that its client is gone is told once, and what is sent then goes nowhere', async (t) => {
  const { stream, text, ends, leave } = await open(t, (opened) =>
    opened.send({ type: 'a', data: 1 }),
  );
  leave();
  t.false(
    await text.then(
      () => true,
      () => false,
    ),
    'its answer broke off',
  );
  while (ends() === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  stream.send({ type: 'b', data: 2 });
  stream.close();
  t.is(ends(), 1);
});
