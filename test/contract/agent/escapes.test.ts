import { existsSync } from 'node:fs';
import { cgroupPathHere } from '@understudy/agent/executor/cgroup';
import test from 'ava';
import { followAgent } from './follow-agent.ts';
import { startOrder } from './order.ts';
import { until } from './until.ts';

/** Who has ended is still to be seen until his parent has taken note. */
const untilGone = (pid: string) => until(() => !existsSync(`/proc/${pid}`), `${pid} is gone`);

test.serial(
  'F104: who ignores SIGTERM outside of the group is killed after the grace, and mentioned',
  async (t) => {
    const { controller } = await followAgent(t);
    const order = startOrder(
      `setsid sh -c 'trap "" TERM; echo $$; while :; do sleep 0.1; done' & wait`,
      { graceMs: 300 },
    );
    controller.order(order);
    await until(() => controller.log(order.run).includes('\n'), 'its pid is known');
    const { run } = order;
    controller.order({ type: 'cancel', term: '1', run, attempt: 1, reason: 'by request' });
    const ended = await controller.untilReport('ended', run);
    t.regex(ended.reason ?? '', /^by request; killed what it left behind \(\d\)$/);
    await untilGone(controller.log(run).trim());
  },
);

test.serial(
  'F104: who leaves the session gets SIGTERM first, and its grace, when an attempt is ended',
  async (t) => {
    const { controller } = await followAgent(t);
    const order = startOrder(
      `setsid sh -c 'trap "sleep 0.3; echo tidied up; exit" TERM; echo ready; while :; do sleep 0.05; done' & wait`,
      { graceMs: 20_000 },
    );
    controller.order(order);
    await until(() => controller.log(order.run).includes('ready'), 'it listens');
    const { run } = order;
    controller.order({ type: 'cancel', term: '1', run, attempt: 1, reason: 'by request' });
    t.is((await controller.untilReport('ended', run)).reason, 'by request');
    t.regex(controller.log(run), /^ready\n(?:.*\n)*tidied up\n$/);
  },
);

test.serial(
  'F104: in a cgroup nobody escapes, with another session, parent and environment either',
  async (t) => {
    const { controller, agent } = await followAgent(t);
    const path = cgroupPathHere(agent.data);
    if (path === null || !existsSync(path)) {
      t.log('no cgroup can be made here');
      t.is(process.env['CI'], undefined);
      return;
    }
    // No mark, no session and no parent of the attempt: and it is over only once this runs.
    const daemonise = (flag: string): string =>
      `env -i /usr/bin/setsid /bin/sh -c 'echo $$; touch ${flag}; exec sleep 1000 > /dev/null 2>&1' &
     while ! [ -e ${flag} ]; do sleep 0.02; done`;
    const order = startOrder(daemonise(`${agent.data}/first`));
    controller.order(order);
    const ended = await controller.untilReport('ended', order.run);
    t.is(ended.outcome, 'exited');
    t.is(ended.reason, 'killed what it left behind (1)');
    await untilGone(controller.log(order.run).trim());

    // Beside another attempt that goes on nobody can say whose it is: it is told, and ends with that one.
    const other = startOrder('echo up; sleep 1000');
    controller.order(other);
    await until(() => controller.log(other.run) === 'up\n', 'the other one runs');
    const again = startOrder(daemonise(`${agent.data}/second`));
    controller.order(again);
    const unclear = await controller.untilReport('ended', again.run);
    const pid = controller.log(again.run).trim();
    t.is(unclear.reason, `left behind by it or by another attempt: ${pid}`);
    controller.order({ ...other, type: 'cancel', reason: 'by request' });
    await controller.untilReport('ended', other.run);
    await untilGone(pid);
  },
);

test.serial('when the agent stops, its cgroup is removed', async (t) => {
  const { controller, agent } = await followAgent(t);
  const order = startOrder('sleep 1000');
  controller.order(order);
  await controller.untilReport('started', order.run);
  agent.child.kill('SIGTERM');
  t.is((await agent.exited).code, 0);
  const path = cgroupPathHere(agent.data);
  t.false(path !== null && existsSync(path));
});

test.serial(
  'F104: in a cgroup all that a worker has started ends with it, however it ends',
  async (t) => {
    const { controller, agent } = await followAgent(t);
    const path = cgroupPathHere(agent.data);
    if (path === null || !existsSync(path)) {
      t.log('no cgroup can be made here');
      t.is(process.env['CI'], undefined);
      return;
    }
    const order = startOrder(
      "env -i /usr/bin/setsid /bin/sh -c 'echo $$; exec sleep 1000 > /dev/null 2>&1' & wait",
    );
    controller.order(order);
    await until(() => controller.log(order.run).includes('\n'), 'its pid is known');
    agent.child.kill('SIGKILL');
    await untilGone(controller.log(order.run).trim());
    t.pass();
  },
);
