import test from 'ava';
import { AgentProcess } from './agent-process.ts';
import { FakeController } from './fake-controller.ts';
import { startOrder } from './order.ts';

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
