import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { childrenOf } from '../../support/cluster/proc.ts';
import { AgentProcess, dataFolder } from '../agent/agent-process.ts';
import { FakeController } from '../agent/fake-controller.ts';
import { startOrder } from '../agent/order.ts';
import { until } from '../agent/until.ts';
import { footprintOf } from './support/footprint.ts';
import { noFault } from './support/fuzzing.ts';
import { nastyValue, spoiled } from './support/nasty.ts';

/** What a worker may hold more than at rest, whatever it is sent; buffers of the collector included. */
const MOST_MB = 250;

async function listening(t: ExecutionContext, server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** An honest controller of a higher term comes up: the agent is well when it follows that one. */
async function followsAfterwards(t: ExecutionContext, agent: AgentProcess, honest: FakeController) {
  // A flood is read up to its bound first, and on a busy host that alone has taken half a minute.
  await honest.untilFollowed(180_000);
  const order = startOrder('echo well');
  const send = () => honest.order({ ...order, term: String(honest.term) });
  send();
  // On a busy host the stream may just then be another one; an order that comes again is answered.
  const again = setInterval(send, 1_000);
  t.teardown(() => clearInterval(again));
  t.is((await honest.untilReport('ended', order.run)).exitCode, 0);
  t.is(agent.child.exitCode, null);
  for (const pid of [agent.child.pid ?? 0, ...childrenOf(agent.child.pid ?? 0)]) {
    t.true(footprintOf(pid).residentMb < MOST_MB, `${pid}: ${footprintOf(pid).residentMb} MB`);
  }
}

/** Answers `/readyz` and the registration well, and then what the test wants. */
function rogue(
  answers: {
    register?: (response: ServerResponse) => void;
    orders?: (response: ServerResponse) => void;
  },
  seen: () => void,
) {
  return createServer((request, response) => {
    response.on('error', () => undefined);
    response.setHeader('Understudy-Term', '1');
    response.setHeader('Understudy-Node', 'rogue');
    const path = request.url ?? '';
    if (path.startsWith('/readyz')) return void response.end('{}');
    if (path.startsWith('/agent/v1/register')) {
      if (answers.register !== undefined) {
        seen();
        return answers.register(response);
      }
      return void response.end(JSON.stringify(registered));
    }
    if (path.startsWith('/agent/v1/orders')) {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      seen();
      return answers.orders?.(response);
    }
    response.end(JSON.stringify({ term: '1', acknowledged: 0 }));
  });
}

const registered = { term: '1', node: 'rogue', beatEveryMs: 200, unwanted: [] };
const hello = `event: hello\ndata: ${JSON.stringify({ type: 'hello', term: '1', node: 'rogue' })}\n\n`;

/** Writes for ever, as fast as it is read. */
function endless(response: ServerResponse, chunk: (count: number) => string): void {
  let count = 0;
  const more = () => {
    while (!response.destroyed && !response.writableEnded) {
      count += 1;
      if (!response.write(chunk(count))) return void response.once('drain', more);
      if (count % 16 === 0) return void setImmediate(more);
    }
  };
  more();
}

const LONG = 'x'.repeat(1_000_000);
const rogues = {
  'a registration without end': {
    register: (response: ServerResponse) => endless(response, () => LONG),
  },
  'a registration that is no JSON': {
    register: (response: ServerResponse) => void response.end('<html>'),
  },
  'a registration of wrong types': {
    register: (response: ServerResponse) =>
      void response.end(JSON.stringify({ ...registered, term: 1, unwanted: 'all' })),
  },
  'beats that are to come in a million years': {
    register: (response: ServerResponse) =>
      void response.end(JSON.stringify({ ...registered, beatEveryMs: 1e300 })),
  },
  'an order without end': {
    orders: (response: ServerResponse) => {
      response.write(`${hello}data: `);
      endless(response, () => LONG);
    },
  },
  'lines without end that make no order': {
    orders: (response: ServerResponse) => {
      response.write(hello);
      endless(response, (count) => `data: ${LONG.slice(0, 1_000)}${count}\n`);
    },
  },
  'more orders than can be refused': {
    orders: (response: ServerResponse) => {
      response.write(hello);
      const order = () => ({ ...startOrder('true'), run: randomUUID(), term: '0' });
      endless(response, () => `event: start\ndata: ${JSON.stringify(order())}\n\n`.repeat(50));
    },
  },
} as const;

for (const [what, answers] of Object.entries(rogues)) {
  test(`F122: a rogue controller that gives ${what} is left, and the worker lives`, async (t) => {
    let seen = 0;
    const url = await listening(
      t,
      rogue(answers, () => {
        seen += 1;
      }),
    );
    const honest = await FakeController.open({ node: 'b', term: 2n });
    await honest.close();
    const agent = new AgentProcess(t, {
      controllers: [url, honest.url],
      retry: { everyMs: 100, timeoutMs: 3_000, limit: 2_000 },
      log: { level: 'info', format: 'text' },
    });
    await until(() => seen >= 2, 'the rogue to be met and left twice');
    const again = await FakeController.open({ node: 'b', term: 2n, port: honest.port });
    t.teardown(() => again.close());
    await followsAfterwards(t, agent, again);
  });
}

test('F122: who answers with headers without end, or with garbage, is not followed', async (t) => {
  let met = 0;
  const endlessHeaders = createTcpServer((socket) => {
    met += 1;
    socket.on('error', () => undefined);
    socket.write('HTTP/1.1 200 OK\r\n');
    const timer = setInterval(() => socket.write(`X-More: ${'x'.repeat(5_000)}\r\n`), 5);
    socket.on('close', () => clearInterval(timer));
  });
  const garbage = createTcpServer((socket) => {
    met += 1;
    socket.on('error', () => undefined);
    socket.end(Buffer.from('\u0000\u0001 not HTTP at all \r\n\r\n'));
  });
  const honest = await FakeController.open({ node: 'b', term: 2n });
  t.teardown(() => honest.close());
  const controllers = [await listening(t, endlessHeaders), await listening(t, garbage), honest.url];
  const agent = new AgentProcess(t, { controllers, log: { level: 'info', format: 'text' } });
  await followsAfterwards(t, agent, honest);
  t.true(met >= 2);
});

test('F93, F122: spoilt orders start nothing that was not ordered, and the worker goes on', async (t) => {
  const honest = await FakeController.open({ node: 'a', term: 5n });
  t.teardown(() => honest.close());
  const data = dataFolder(t);
  const agent = new AgentProcess(t, {
    controllers: [honest.url],
    data,
    slots: 1_000,
    log: { level: 'info', format: 'text' },
  });
  await honest.untilFollowed();
  // A command that tells of itself, under a term that is over: no change of one field may start it.
  const stale = { ...startOrder(`touch ${join(data, 'started')}`), term: '4' };
  const orders = fc.oneof(
    spoiled(stale),
    spoiled({ type: 'cancel', term: '5', run: randomUUID(), attempt: 1, reason: 'x' }),
    nastyValue.map((value) => JSON.stringify(value) ?? ''),
  );
  const isHarmless = (text: string) =>
    !/"term":"(?:[5-9]|\d\d+)"/.test(text.replace('"term":"5","run"', ''));
  await noFault(t, {
    runs: 500,
    cases: orders.filter(isHarmless),
    faultOf: (text) => {
      honest.orderRaw(text);
      return agent.child.exitCode === null ? null : 'the agent has ended';
    },
  });
  await followsAfterwards(t, agent, honest);
  t.false(existsSync(join(data, 'started')));
});
