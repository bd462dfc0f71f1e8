import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accountOf, lineOf } from '@understudy/agent/executor/account';
import test, { type ExecutionContext } from 'ava';
import { dataFolder } from './agent-process.ts';
import { followAgent } from './follow-agent.ts';
import { orderTo, startOrder } from './order.ts';
import { until } from './until.ts';

/** Whether a test that only root can make can be made; where it has to count it fails for others. */
function isRoot(t: ExecutionContext): boolean {
  if (process.getuid?.() === 0) return true;
  t.log('only root can try this out');
  t.is(process.env['CI'], undefined);
  return false;
}

test('a line for the shell is run by /bin/sh', async (t) => {
  const { controller } = await followAgent(t);
  const order = orderTo({ shell: 'echo "$WHO" | tr a-z A-Z; exit 3' }, { env: { WHO: 'anna' } });
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  t.is(ended.exitCode, 3);
  t.is(controller.log(order.run), 'ANNA\n');
});

test('a program starts in the folder that is asked for, and is looked for there', async (t) => {
  const { controller, agent } = await followAgent(t);
  const cwd = join(agent.data, 'place');
  mkdirSync(cwd);
  writeFileSync(join(cwd, 'here'), '#!/bin/sh\npwd\n', { mode: 0o755 });
  const order = startOrder('', { command: ['./here'], cwd });
  controller.order(order);
  t.is((await controller.untilReport('ended', order.run)).exitCode, 0);
  t.is(controller.log(order.run), `${cwd}\n`);
  const missing = startOrder('pwd', { cwd: join(agent.data, 'nowhere') });
  controller.order(missing);
  const ended = await controller.untilReport('ended', missing.run);
  t.is(ended.outcome, 'not-started');
  t.regex(ended.reason ?? '', /ENOENT: no folder .*nowhere/);
});

test('a search path that leads nowhere keeps nothing from being started', async (t) => {
  const { controller } = await followAgent(t);
  const order = startOrder('', { command: ['/bin/echo', 'hi'], env: { PATH: '/nowhere' } });
  controller.order(order);
  t.is((await controller.untilReport('ended', order.run)).exitCode, 0);
});

test('a program runs as the user that is asked for, with that one’s groups and home', async (t) => {
  if (!isRoot(t)) return;
  const { controller } = await followAgent(t, { users: ['daemon'] });
  const order = startOrder('id -un; id -G; echo "$HOME $USER"; echo said >> /dev/stderr', {
    user: 'daemon',
  });
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  t.is(ended.exitCode, 0);
  const home = accountOf(lineOf('daemon', readFileSync('/etc/passwd', 'utf8')) ?? '')?.home;
  const groups = execFileSync('id', ['-G', 'daemon'], { encoding: 'utf8' });
  t.is(controller.log(order.run), `daemon\n${groups}${home} daemon\nsaid\n`);
});

test('a user that the agent was not told of is refused, and nothing starts', async (t) => {
  if (!isRoot(t)) return;
  const { controller } = await followAgent(t, { users: ['daemon'] });
  for (const [user, reason] of [
    ['nobody', /not allowed here/],
    ['no-such-user', /no user no-such-user/],
  ] as const) {
    const order = startOrder('echo ran', { user });
    controller.order(order);
    const ended = await controller.untilReport('ended', order.run);
    t.is(ended.outcome, 'not-started');
    t.regex(ended.reason ?? '', reason);
    t.is(controller.log(order.run), '');
  }
});

test('what runs as somebody else ends with its worker, too', async (t) => {
  if (!isRoot(t)) return;
  const { controller, agent } = await followAgent(t, { users: ['daemon'] });
  const order = startOrder('echo $$; exec sleep 1000', { user: 'daemon' });
  controller.order(order);
  await until(() => controller.log(order.run).includes('\n'), 'its pid is known');
  const pid = controller.log(order.run).trim();
  t.not(statSync(`/proc/${pid}`).uid, 0);
  agent.child.kill('SIGKILL');
  await until(() => !existsSync(`/proc/${pid}`), 'the kernel has ended it');
});

test('an attempt has the grace that its job gives it, and no more', async (t) => {
  const { controller } = await followAgent(t);
  const script =
    'trap "sleep 0.3; echo tidied up; exit 0" TERM; echo ready; while :; do sleep 0.05; done';
  const [patient, hasty] = [
    startOrder(script, { graceMs: 20_000 }),
    startOrder(script, { graceMs: 20 }),
  ];
  for (const order of [patient, hasty]) {
    controller.order(order);
    const { run } = order;
    await until(() => controller.log(run).includes('ready'), 'it listens');
    controller.order({ type: 'cancel', term: '1', run, attempt: 1, reason: 'by request' });
    await controller.untilReport('ended', run);
  }
  t.regex(controller.log(patient.run), /\ntidied up\n$/);
  t.notRegex(controller.log(hasty.run), /tidied up/);
  t.is((await controller.untilReport('ended', hasty.run)).signal, 'SIGKILL');
});

test('output beyond the limit is dropped, and the attempt goes on', async (t) => {
  const { controller } = await followAgent(t);
  const order = startOrder('head -c 50000000 /dev/zero | tr "\\0" x; sleep 0.2; echo end; exit 4', {
    output: { limitBytes: 1_000, onLimit: 'truncate' },
  });
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  t.is(ended.exitCode, 4);
  t.is(ended.logBytes, 1_000);
  t.regex(ended.reason ?? '', /^\d+ bytes of its output were dropped$/);
  t.is(controller.log(order.run), 'x'.repeat(1_000));
});

test('an attempt whose output grows beyond its limit is ended where that was asked for', async (t) => {
  const { controller, agent } = await followAgent(t);
  const order = startOrder('yes', { output: { limitBytes: 5_000, onLimit: 'kill' } });
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  t.is(ended.outcome, 'signalled');
  t.regex(ended.reason ?? '', /^its output exceeded 5000b; \d+ bytes of its output were dropped$/);
  t.is(controller.log(order.run), 'y\n'.repeat(2_500));
  await until(() => !existsSync(join(agent.data, 'logs', `${order.run}.1.log`)), 'it is stored');
});

test('an order that this version does not know is refused, so that another agent gets it', async (t) => {
  const { controller } = await followAgent(t);
  const { command: _, ...order } = startOrder('');
  controller.orderRaw(JSON.stringify({ ...order, dream: { of: 'sheep' } }));
  t.is((await controller.untilReport('refused', order.run)).reason, 'not-understood');
});

test('a worker says what it can do', async (t) => {
  const { controller } = await followAgent(t, { data: dataFolder(t) });
  const abilities = controller.registers[0]?.abilities ?? [];
  for (const ability of ['shell', 'http', 'module', 'cwd', 'user']) {
    t.true(abilities.includes(ability), ability);
  }
});
