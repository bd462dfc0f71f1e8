import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import test from 'ava';
import { AgentProcess } from './agent-process.ts';
import { FakeController } from './fake-controller.ts';
import { startOrder } from './order.ts';
import { until } from './until.ts';

test('an attempt runs on while its controller goes away, and its results reach the next one', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  const b = await FakeController.open({ node: 'b', term: 2n });
  const { port, url } = b;
  await b.close();
  const agent = new AgentProcess(t, { controllers: [a.url, url] });
  await a.untilFollowed();
  const order = startOrder('echo before; while [ ! -e "$GO" ]; do sleep 0.05; done; echo after', {
    env: { GO: `${agent.data}/go` },
  });
  a.order(order);
  await until(() => a.log(order.run) === 'before\n', 'a gets the first line');
  await a.close();
  await agent.untilLogged('no controller to follow');

  const next = await FakeController.open({ node: 'b', term: 2n, port });
  t.teardown(() => next.close());
  await next.untilFollowed();
  t.deepEqual(next.registers[0]?.attempts, [{ run: order.run, attempt: 1, state: 'running' }]);
  await writeFile(`${agent.data}/go`, '');
  const ended = await next.untilReport('ended', order.run);

  t.is(ended.outcome, 'exited');
  t.is(ended.logBytes, 'before\nafter\n'.length);
  t.is(a.log(order.run) + next.log(order.run, a.log(order.run).length), 'before\nafter\n');
  await agent.untilLogged('repointed to b under term 2');
});

test('results stay on disk while no controller can be reached, and are delivered later', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  const { port } = a;
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const order = startOrder('while [ ! -e "$GO" ]; do sleep 0.05; done; echo done; : > "$GO.over"', {
    env: { GO: `${agent.data}/go` },
  });
  a.order(order);
  await a.untilReport('started', order.run);
  await a.close();
  await writeFile(`${agent.data}/go`, '');
  await until(() => existsSync(`${agent.data}/go.over`), 'the attempt is over');

  const again = await FakeController.open({ node: 'a', term: 1n, port });
  t.teardown(() => again.close());
  const ended = await again.untilReport('ended', order.run);
  t.is(ended.exitCode, 0);
  t.is(again.log(order.run), 'done\n');
  await until(() => readdirSync(`${agent.data}/logs`).length === 0, 'the log is removed');
});

test('of two that serve the one with the higher term is followed, and a lower one never after it', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 9n });
  const b = await FakeController.open({ node: 'b', term: 10n });
  t.teardown(async () => {
    await a.close();
    await b.close();
  });
  const agent = new AgentProcess(t, { controllers: [a.url, b.url] });
  await b.untilFollowed();
  await b.close();
  await agent.untilLogged('serves term 9, but term 10 has been seen');
  t.is(a.registers.length, 0);
});

test('a controller that leaves sends the agent to the next one at once', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  const b = await FakeController.open({ node: 'b', term: 2n });
  const { port, url } = b;
  await b.close();
  t.teardown(() => a.close());
  const retry = { everyMs: 60_000, timeoutMs: 20_000, limit: 5 };
  new AgentProcess(t, { controllers: [a.url, url], retry });
  await a.untilFollowed();
  a.order({ type: 'leave', term: '1', next: url });
  await until(() => a.streams === 0, 'the agent has left a');
  const next = await FakeController.open({ node: 'b', term: 2n, port });
  t.teardown(() => next.close());
  await next.untilFollowed();
  t.pass();
});

test('a controller that names the next one sends the agent there, listed or not', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  const c = await FakeController.open({ node: 'c', term: 2n });
  t.teardown(async () => {
    await a.close();
    await c.close();
  });
  const retry = { everyMs: 60_000, timeoutMs: 20_000, limit: 5 };
  const agent = new AgentProcess(t, { controllers: [a.url], retry });
  await a.untilFollowed();
  // What is written to the disk first must not make it miss the word that it is sent away.
  a.order({ type: 'cancel', term: '1', run: randomUUID(), attempt: 1, reason: 'by request' });
  a.order({ type: 'leave', term: '1', next: c.url });
  a.endStreams();
  await c.untilFollowed();
  await agent.untilLogged('repointed to c under term 2');
  t.is(c.registers.length, 1);
});

test('an agent stays with a controller whose store is away, and its results arrive later', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  a.isStoreAway = true;
  const order = startOrder('echo done');
  a.order(order);
  // More than a worker bears of a controller that fails for another reason.
  await until(() => a.refusedBatches >= 8, 'the batch came again and again');
  t.is(a.registers.length, 1);
  a.isStoreAway = false;
  const ended = await a.untilReport('ended', order.run);
  t.is(ended.exitCode, 0);
  t.is(a.registers.length, 1, 'it never left');
  t.notRegex(agent.log, /lost controller/);
});

test('an agent does not give up on a controller that can not take it in for the moment', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  a.isStoreAway = true;
  const retry = { everyMs: 20, timeoutMs: 10_000, limit: 3 };
  const agent = new AgentProcess(t, { controllers: [a.url], retry });
  await until(() => a.refusedRegisters >= 10, 'it came again and again');
  a.isStoreAway = false;
  await a.untilFollowed();
  t.is(agent.child.exitCode, null);
});

test('each registration of an agent has a higher number than the one before', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  new AgentProcess(t, { controllers: [a.url] });
  await until(() => {
    a.endStreams();
    return a.registers.length >= 3;
  }, 'it registered several times');
  const sessions = a.registers.map(({ session }) => session);
  t.true((sessions[0] ?? 0) > 0);
  t.deepEqual(
    sessions,
    [...new Set(sessions)].toSorted((x, y) => x - y),
  );
});

test('a stream that falls silent is lost, though its connection stands', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  a.beats = false;
  await agent.untilLogged('nothing heard for 1000 ms');
  await agent.untilLogged('back with a under term 1');
  t.true(a.registers.length >= 2);
});

test('an agent without a controller gives up after its rounds and ends with 69', async (t) => {
  const gone = await FakeController.open({ node: 'a', term: 1n });
  const { url } = gone;
  await gone.close();
  const retry = { everyMs: 20, timeoutMs: 10_000, limit: 3 };
  const agent = new AgentProcess(t, { controllers: [url], retry });
  t.deepEqual(await agent.exited, { code: 69, signal: null });
  t.regex(agent.log, /giving up after 3 rounds over all controllers: http.*ECONNREFUSED/);
});

test('an agent that gives up lets what runs finish first, and keeps the result for its next life', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  const { port, url } = a;
  const retry = { everyMs: 20, timeoutMs: 10_000, limit: 2 };
  const first = new AgentProcess(t, { controllers: [url], retry });
  await a.untilFollowed();
  const order = startOrder('while [ ! -e "$GO" ]; do sleep 0.05; done; echo finished', {
    env: { GO: `${first.data}/go` },
  });
  a.order(order);
  await a.untilReport('started', order.run);
  await a.close();
  await first.untilLogged('giving up after 2 rounds');
  await writeFile(`${first.data}/go`, '');
  t.is((await first.exited).code, 69);

  const again = await FakeController.open({ node: 'a', term: 1n, port });
  t.teardown(() => again.close());
  new AgentProcess(t, { controllers: [url], data: first.data });
  const ended = await again.untilReport('ended', order.run);
  t.is(ended.outcome, 'exited');
  t.is(again.log(order.run), 'finished\n');
});

test('an agent that gives up ends what runs when it is told to', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  const retry = { everyMs: 20, timeoutMs: 10_000, limit: 2 };
  const onLost = { running: 'kill' } as const;
  const agent = new AgentProcess(t, { controllers: [a.url], retry, onLost });
  await a.untilFollowed();
  const order = startOrder('sleep 1000');
  a.order(order);
  const { pid } = await a.untilReport('started', order.run);
  await a.close();
  t.is((await agent.exited).code, 69);
  t.false(existsSync(`/proc/${pid}`));
});

test('a refused token and a taken id are said clearly, tried again, and given up by the same rule', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  a.registerStatus = 409;
  const retry = { everyMs: 20, timeoutMs: 10_000, limit: 3 };
  const taken = new AgentProcess(t, { controllers: [a.url], retry });
  t.is((await taken.exited).code, 69);
  t.regex(taken.log, /409 duplicate-agent: another one holds the id/);
  const stranger = new AgentProcess(t, { controllers: [a.url], retry, token: 'wrong' });
  t.is((await stranger.exited).code, 69);
  t.regex(stranger.log, /refuses our token \(401\)/);
});
