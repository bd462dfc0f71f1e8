import { existsSync } from 'node:fs';
import test from 'ava';
import { AgentProcess } from './agent-process.ts';
import { FakeController } from './fake-controller.ts';
import { startOrder } from './order.ts';
import { until } from './until.ts';

test('an ordered command runs, and its start, its whole output and its end are reported in order', async (t) => {
  const controller = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => controller.close());
  new AgentProcess(t, { controllers: [controller.url] });
  await controller.untilFollowed();

  const order = startOrder('echo "$GREETING from $UNDERSTUDY_JOB"; echo aside >&2; exit 3', {
    env: { GREETING: 'hello' },
  });
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);

  t.is(ended.outcome, 'exited');
  t.is(ended.exitCode, 3);
  t.is(ended.reason, null);
  t.is(controller.log(order.run), 'hello from report\naside\n');
  t.is(ended.logBytes, controller.log(order.run).length);
  t.deepEqual(
    controller.reports.map(({ type }) => type),
    ['started', 'log', 'ended'],
  );
});

test('a cancelled attempt is ended with all that it started', async (t) => {
  const controller = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => controller.close());
  new AgentProcess(t, { controllers: [controller.url] });
  await controller.untilFollowed();
  const order = startOrder('sleep 1000 & echo $!; setsid sleep 1000 & echo $!; wait');
  controller.order(order);
  await until(() => controller.log(order.run).split('\n').length === 3, 'both pids are known');
  const { run } = order;
  controller.order({ type: 'cancel', term: '1', run, attempt: 1, reason: 'asked by anna' });
  const ended = await controller.untilReport('ended', run);

  t.is(ended.outcome, 'cancelled');
  t.is(ended.reason, 'asked by anna', 'SIGTERM reaches all of it, and nothing has to be killed');
  for (const pid of controller.log(run).trim().split('\n')) {
    await until(() => !existsSync(`/proc/${pid}`), `${pid} is gone`);
  }
});

test('an attempt that runs longer than it may is ended, with SIGKILL when it does not listen', async (t) => {
  const controller = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => controller.close());
  new AgentProcess(t, { controllers: [controller.url] });
  await controller.untilFollowed();
  const order = startOrder('trap "" TERM; while :; do sleep 0.05; done', { timeoutMs: 200 });
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  t.is(ended.outcome, 'timed-out');
  t.is(ended.signal, 'SIGKILL');
});

test('F104: what a command leaves behind is ended before the attempt counts as over', async (t) => {
  const controller = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => controller.close());
  new AgentProcess(t, { controllers: [controller.url] });
  await controller.untilFollowed();
  const order = startOrder('setsid nohup sleep 1000 > /dev/null 2>&1 & echo $!');
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  t.is(ended.outcome, 'exited');
  t.is(ended.reason, 'killed what it left behind (1)');
  await until(() => !existsSync(`/proc/${controller.log(order.run).trim()}`), 'it is gone');
});

test('a command that can not be started is said to be so', async (t) => {
  const controller = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => controller.close());
  new AgentProcess(t, { controllers: [controller.url] });
  await controller.untilFollowed();
  for (const [command, reason] of [
    [['/no-such-folder/program'], /ENOENT/],
    [['/etc/passwd'], /EACCES/],
    [['/bin/echo', 'x'.repeat(200_000)], /E2BIG/],
  ] as const) {
    const order = startOrder('', { command: [...command] });
    controller.order(order);
    const ended = await controller.untilReport('ended', order.run);
    t.is(ended.outcome, 'not-started');
    t.regex(ended.reason ?? '', reason);
  }
});

test('more orders than slots are refused, and a slot that is free again is used', async (t) => {
  const controller = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => controller.close());
  new AgentProcess(t, { controllers: [controller.url], slots: 1 });
  await controller.untilFollowed();
  const [first, second, third] = [startOrder('sleep 1000'), startOrder(':'), startOrder(':')];
  controller.order(first);
  controller.order(second);
  t.is((await controller.untilReport('refused', second.run)).reason, 'no-slot');
  controller.order({ ...first, type: 'cancel', reason: 'make room' });
  await controller.untilReport('ended', first.run);
  controller.order(third);
  t.is((await controller.untilReport('ended', third.run)).exitCode, 0);
});

test('an order that comes twice starts once and is answered twice', async (t) => {
  const controller = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => controller.close());
  const agent = new AgentProcess(t, { controllers: [controller.url] });
  await controller.untilFollowed();
  const order = startOrder('echo once >> "$PROOF"; cat "$PROOF"', {
    env: { PROOF: `${agent.data}/proof` },
  });
  controller.order(order);
  controller.order(order);
  await controller.untilReport('ended', order.run);
  controller.order(order);
  const ends = () => controller.reports.filter(({ type }) => type === 'ended');
  await until(() => ends().length >= 2, 'the end is reported again');
  t.is(controller.log(order.run), 'once\n');
});

test('a cancelled order that never came is not started when it comes late', async (t) => {
  const controller = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => controller.close());
  new AgentProcess(t, { controllers: [controller.url] });
  await controller.untilFollowed();
  const order = startOrder('echo late');
  controller.order({ ...order, type: 'cancel', reason: 'changed my mind' });
  t.is((await controller.untilReport('ended', order.run)).outcome, 'cancelled');
  controller.reports.length = 0;
  controller.order(order);
  t.is((await controller.untilReport('ended', order.run)).outcome, 'cancelled');
  t.is(controller.log(order.run), '');
});

test('a large output arrives whole, and the worker stays small', async (t) => {
  const controller = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => controller.close());
  new AgentProcess(t, { controllers: [controller.url] });
  await controller.untilFollowed();
  const order = startOrder('seq 1 1000000; sed -n "s/^VmHWM: *//p" /proc/$PPID/status');
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  const lines = controller.log(order.run).split('\n');
  t.is(controller.log(order.run).length, ended.logBytes);
  t.is(lines[999_999], '1000000');
  t.log('the worker at its largest', lines[1_000_000]);
  t.true(Number.parseInt(lines[1_000_000] ?? '', 10) < 120_000);
});
