import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import test from 'ava';
import { AgentProcess, dataFolder } from './agent-process.ts';
import { FakeController } from './fake-controller.ts';
import { startOrder } from './order.ts';
import { until } from './until.ts';

test('after a kill -9 an attempt is reported lost, nothing of it is left, and it is not started again', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const first = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const order = startOrder(
    'echo start >> "$PROOF"; echo out; setsid sleep 1000 & echo $! > "$PROOF.pid"; wait',
    { env: { PROOF: `${first.data}/proof` } },
  );
  a.order(order);
  const { pid } = await a.untilReport('started', order.run);
  await until(() => a.log(order.run) === 'out\n', 'the output is reported');
  const daemon = Number(await until(() => contentOf(`${first.data}/proof.pid`), 'a pid'));
  first.child.kill('SIGKILL');
  await first.exited;

  new AgentProcess(t, { controllers: [a.url], data: first.data });
  const ended = await a.untilReport('ended', order.run);
  t.is(ended.outcome, 'lost');
  t.regex(ended.reason ?? '', /worker ended/);
  t.is(ended.logBytes, 4);
  t.false(lives(pid));
  t.false(lives(daemon));

  a.reports.length = 0;
  a.order(order);
  t.is((await a.untilReport('ended', order.run)).outcome, 'lost');
  t.is(contentOf(`${first.data}/proof`), 'start\n');
});

test('a worker that dies under the agent is started again, and what it ran is lost', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const order = startOrder('sleep 1000');
  a.order(order);
  const { pid } = await a.untilReport('started', order.run);
  process.kill(parentOf(pid), 'SIGKILL');
  t.is((await a.untilReport('ended', order.run)).outcome, 'lost');
  t.false(lives(pid));
  await agent.untilLogged('the worker ended and is started again');
});

test('a worker that hangs is killed and started again', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const order = startOrder('sleep 1000');
  a.order(order);
  const { pid } = await a.untilReport('started', order.run);
  process.kill(parentOf(pid), 'SIGSTOP');
  await agent.untilLogged('the worker hangs and is killed');
  t.is((await a.untilReport('ended', order.run)).outcome, 'lost');
});

test('a worker that was frozen registers anew, and takes no order that waited for it', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const running = startOrder('sleep 1000');
  a.order(running);
  const worker = parentOf((await a.untilReport('started', running.run)).pid);
  process.kill(worker, 'SIGSTOP');
  const sent = a.beatsSent;
  await until(() => a.beatsSent >= sent + 8, 'more beats than the limit of silence');
  const old = startOrder('echo old');
  a.order(old);
  process.kill(worker, 'SIGCONT');
  await agent.untilLogged('nothing heard for 1000 ms');
  await until(() => a.registers.length === 2, 'it registers anew');
  t.deepEqual(a.registers[1]?.attempts, [{ run: running.run, attempt: 1, state: 'running' }]);
  await a.untilFollowed();
  const fresh = startOrder('echo fresh');
  a.order(fresh);
  t.is((await a.untilReport('ended', fresh.run)).exitCode, 0);
  t.false(a.reports.some(({ run }) => run === old.run));
});

test('an order of a lower term is refused, also by the next life of the agent', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 5n });
  t.teardown(() => a.close());
  const first = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const order = startOrder('echo never', { term: '4' });
  a.order(order);
  t.is((await a.untilReport('refused', order.run)).reason, 'stale-term');
  t.is(readFileSync(`${first.data}/term`, 'utf8'), '5\n');
  first.child.kill('SIGKILL');
  await first.exited;

  a.term = 4n;
  const next = new AgentProcess(t, { controllers: [a.url], data: first.data });
  await next.untilLogged('serves term 4, but term 5 has been seen');
  t.is(a.registers.length, 1);
});

test('a data folder belongs to one agent at a time', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const first = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const second = new AgentProcess(t, { controllers: [a.url], data: first.data });
  t.is((await second.exited).code, 78);
  t.regex(second.log, new RegExp(`in use by another agent, pid ${first.child.pid}`));
});

test('a data folder that can not be used is one clear message and exit code 78', async (t) => {
  const file = `${dataFolder(t)}/file`;
  await writeFile(file, '');
  const agent = new AgentProcess(t, { controllers: ['http://127.0.0.1:1'], data: file });
  t.is((await agent.exited).code, 78);
  t.regex(agent.log, /can't be used as the agent's data folder/);
});

test('a stopped agent ends what runs, reports it and ends with 0', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const order = startOrder('trap "echo bye; exit 0" TERM; echo up; while :; do sleep 0.05; done');
  a.order(order);
  await until(() => a.log(order.run) === 'up\n', 'the attempt is up');
  agent.child.kill('SIGTERM');
  const ended = await a.untilReport('ended', order.run);
  t.is(ended.outcome, 'lost');
  t.is(ended.reason, 'the agent was stopped');
  t.regex(a.log(order.run), /^up\n(.*\n)?bye\n$/);
  t.deepEqual(await agent.exited, { code: 0, signal: null });
  t.false(existsSync(`${agent.data}/lock`));
});

test('a second SIGTERM ends the agent at once', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const agent = new AgentProcess(t, { controllers: [a.url] });
  await a.untilFollowed();
  const order = startOrder('trap "" TERM; echo up; while :; do sleep 0.05; done');
  a.order(order);
  const { pid } = await a.untilReport('started', order.run);
  await until(() => a.log(order.run) === 'up\n', 'the attempt is up');
  agent.child.kill('SIGTERM');
  await agent.untilLogged('the agent stops');
  const askedAt = performance.now();
  agent.child.kill('SIGTERM');
  t.is((await agent.exited).code, 0);
  t.true(performance.now() - askedAt < 4_000);
  t.false(lives(pid));
});

function contentOf(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

function statOf(pid: number): string[] {
  const stat = contentOf(`/proc/${pid}/stat`) ?? '';
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** A zombie that waits for its reaper does not live. */
function lives(pid: number): boolean {
  return existsSync(`/proc/${pid}`) && statOf(pid)[0] !== 'Z';
}

function parentOf(pid: number): number {
  return Number(statOf(pid)[1]);
}
