import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { AgentProcess } from './agent-process.ts';
import { FakeController } from './fake-controller.ts';
import { startOrder } from './order.ts';
import { until } from './until.ts';

test('reports that a controller can not take now are sent again until it can', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  a.reportsStatus = 503;
  const order = startOrder('echo out');
  a.order(order);
  await until(() => a.refusedBatches >= 2, 'two batches are turned away');
  a.reportsStatus = 200;
  t.is((await a.untilReport('ended', order.run)).exitCode, 0);
  t.is(a.log(order.run), 'out\n');
});

test('a part of a batch that is acknowledged is not sent again, the rest is', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  a.takesAtMost = 1;
  const order = startOrder('echo out');
  a.order(order);
  await a.untilReport('ended', order.run);
  await until(() => !existsSync(`${agent.data}/logs/${order.run}.1.log`), 'all is acknowledged');
  t.deepEqual(
    a.reports.map(({ type }) => type),
    ['started', 'log', 'ended'],
  );
});

test('one report that no controller takes is dropped loudly and does not hold up the others', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const poison = startOrder('echo poison');
  a.poison = poison.run;
  const [before, after] = [startOrder('echo before'), startOrder('echo after')];
  for (const order of [before, poison, after]) a.order(order);
  t.is((await a.untilReport('ended', before.run)).exitCode, 0);
  t.is((await a.untilReport('ended', after.run)).exitCode, 0);
  await agent.untilLogged('a report was dropped, no controller takes it');
});

test('an attempt that its controller does not want any more is ended and not reported', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  const { port } = a;
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const [unwanted, wanted] = [startOrder('sleep 1000'), startOrder('sleep 1000')];
  for (const order of [unwanted, wanted]) a.order(order);
  const { pid } = await a.untilReport('started', unwanted.run);
  await a.untilReport('started', wanted.run);
  await a.close();

  const next = await FakeController.open({ node: 'a', term: 2n, port });
  t.teardown(() => next.close());
  next.unwanted = [{ run: unwanted.run, attempt: 1 }];
  await next.untilFollowed();
  await until(() => !existsSync(`/proc/${pid}`), 'the unwanted attempt is ended');
  await until(() => !existsSync(`${agent.data}/logs/${unwanted.run}.1.log`), 'it is forgotten');
  next.order({ ...wanted, term: '2', type: 'cancel', reason: 'over' });
  await next.untilReport('ended', wanted.run);
  t.false(next.reports.some(({ run }) => run === unwanted.run));
});

test('an agent that is stopped while it waits for its attempts after giving up ends with 0', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  const retry = { everyMs: 20, timeoutMs: 10_000, limit: 2 };
  const agent = new AgentProcess(t, { controllers: [a.url], retry });
  await a.untilFollowed();
  const order = startOrder('sleep 1000');
  a.order(order);
  await a.untilReport('started', order.run);
  await a.close();
  await agent.untilLogged('giving up after 2 rounds');
  agent.child.kill('SIGTERM');
  t.is((await agent.exited).code, 0);
});

test('F125: output that may be the beginning of a secret waits for what follows, or for the end', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const go = `${agent.data}/go`;
  const script = `printf 'it is hunt'; until [ -e ${go} ]; do sleep 0.02; done; printf "er2. \${A%er2}"`;
  const order = startOrder(script, { secrets: { A: 'hunter2' } });
  a.order(order);
  await until(() => a.log(order.run) !== '', 'the first piece is there');
  t.is(a.log(order.run), 'it is ');
  writeFileSync(go, '');
  await a.untilReport('ended', order.run);
  t.is(a.log(order.run), 'it is hunter2. hunt');
  const journal = readFileSync(`${agent.data}/journal`, 'utf8');
  t.true(journal.includes(order.run));
  t.false(journal.includes('hunter2'));
});
