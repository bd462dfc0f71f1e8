import { existsSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import type { AgentProcess } from './agent-process.ts';
import { followAgent } from './follow-agent.ts';
import { orderTo, type StartWire } from './order.ts';
import { until } from './until.ts';

/** Writes a module and gives an order to call it. */
function moduleOrder(agent: AgentProcess, text: string, more: Partial<StartWire> = {}): StartWire {
  const name = `m${text.length}-${[...text].reduce((sum, each) => (sum * 31 + each.charCodeAt(0)) % 1e9, 7)}`;
  const path = join(agent.data, `${name}.mjs`);
  writeFileSync(path, text);
  return orderTo({ module: { path } }, more);
}

const forEver = 'export default async ({ log }) => { log("in"); await new Promise(() => {}); }';

test.serial('the function of a module is called with all that is known of its run', async (t) => {
  const { controller, agent } = await followAgent(t);
  const order = moduleOrder(
    agent,
    `export default async ({ signal, log, ...context }) => {
       log(JSON.stringify(context), signal.aborted);
       console.log('printed', context.parameters.NAME);
       await new Promise((resolve) => setTimeout(resolve, 5));
       process.stderr.write('aside\\n');
     };`,
    { parameters: { NAME: 'anna' }, env: { NAME: 'anna', KEY: 'k' }, job: 'report' },
  );
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  t.is(ended.outcome, 'exited');
  t.is(ended.exitCode, 0);
  t.is(ended.reason, null);
  const [first = '', ...rest] = controller.log(order.run).split('\n');
  t.deepEqual(JSON.parse(first.replace(/ false$/, '')), {
    ...{ run: order.run, job: 'report', attempt: 1, term: '1', scheduledFor: null },
    ...{ parameters: { NAME: 'anna' }, env: { NAME: 'anna', KEY: 'k' } },
  });
  t.deepEqual(rest, ['printed anna', 'aside', '']);
});

test.serial(
  'an error fails the attempt, with its message, its stack and its exit code',
  async (t) => {
    const { controller, agent } = await followAgent(t);
    const thrown = moduleOrder(
      agent,
      'export default () => { throw Object.assign(new Error("no luck"), { exitCode: 9 }); };',
    );
    controller.order(thrown);
    t.like(await controller.untilReport('ended', thrown.run), {
      ...{ outcome: 'exited', exitCode: 9, reason: 'Error: no luck' },
    });
    t.regex(controller.log(thrown.run), /no luck\n +at .*mjs/);
    const broken = moduleOrder(agent, 'export default ][');
    controller.order(broken);
    t.regex((await controller.untilReport('ended', broken.run)).reason ?? '', /SyntaxError/);
    const other = orderTo({ module: { path: thrown.module?.path ?? '', export: 'other' } });
    controller.order(other);
    t.regex((await controller.untilReport('ended', other.run)).reason ?? '', /no function other/);
    const missing = orderTo({ module: { path: '/no/such/module.mjs' } });
    controller.order(missing);
    const ended = await controller.untilReport('ended', missing.run);
    t.is(ended.outcome, 'not-started');
  },
);

test.serial('many attempts run at once in one process', async (t) => {
  const { controller, agent } = await followAgent(t, { slots: 50 });
  const first = moduleOrder(
    agent,
    `let inside = 0; let most = 0;
     export default async ({ log }) => {
       most = Math.max(most, ++inside);
       while (most < 50) await new Promise((resolve) => setTimeout(resolve, 1));
       log(process.pid);
     };`,
  );
  const orders = Array.from({ length: 50 }, () => orderTo({ module: first.module }));
  for (const order of orders) controller.order(order);
  for (const { run } of orders) t.is((await controller.untilReport('ended', run)).exitCode, 0);
  t.is(new Set(orders.map(({ run }) => controller.log(run))).size, 1);
});

test.serial('a module that is told to end has its signal, and its grace', async (t) => {
  const { controller, agent } = await followAgent(t);
  const order = moduleOrder(
    agent,
    `export default async ({ signal, log }) => {
       log('in');
       await new Promise((resolve) => signal.addEventListener('abort', resolve));
       log('out', signal.reason.message);
     };`,
    { graceMs: 60_000 },
  );
  controller.order(order);
  const { run } = order;
  await until(() => controller.log(run) === 'in\n', 'it runs');
  controller.order({ type: 'cancel', term: '1', run, attempt: 1, reason: 'by request' });
  const ended = await controller.untilReport('ended', run);
  t.is(ended.outcome, 'cancelled');
  t.is(controller.log(run), 'in\nout by request\n');
});

test.serial(
  'a module that does not end is ended with its host, and what can finish before does',
  async (t) => {
    const { controller, agent } = await followAgent(t);
    const stubborn = moduleOrder(agent, forEver, { graceMs: 100 });
    const brief = moduleOrder(
      agent,
      'export default () => new Promise((resolve) => setTimeout(resolve, 1500));',
    );
    controller.order(stubborn);
    controller.order(brief);
    await until(() => controller.log(stubborn.run) === 'in\n', 'it runs');
    const { run } = stubborn;
    controller.order({ type: 'cancel', term: '1', run, attempt: 1, reason: 'by request' });
    t.is((await controller.untilReport('ended', brief.run)).exitCode, 0);
    const ended = await controller.untilReport('ended', run);
    t.is(ended.outcome, 'cancelled');
    t.regex(ended.reason ?? '', /^by request; it did not end by itself/);
    const next = moduleOrder(agent, 'export default ({ log }) => log("next");');
    controller.order(next);
    await controller.untilReport('ended', next.run);
    t.is(controller.log(next.run), 'next\n', 'another host takes its place');
  },
);

test.serial(
  'a module that keeps its host from answering is ended by its time limit, and others go on elsewhere',
  async (t) => {
    const { controller, agent } = await followAgent(t, { slots: 100 });
    const looping = moduleOrder(agent, 'export default () => { for (;;); };', {
      ...{ timeoutMs: 8_000, graceMs: 100 },
    });
    controller.order(looping);
    const { pid } = await controller.untilReport('started', looping.run);
    const { module } = moduleOrder(agent, 'export default ({ log }) => log("elsewhere");');
    const others: StartWire[] = [];
    // It takes a moment until the host is known to be busy: what was given to it before shares its fate.
    let nextAtMs = 0;
    const finished = await until(() => {
      if (performance.now() > nextAtMs) {
        nextAtMs = performance.now() + 200;
        const other = orderTo({ module });
        others.push(other);
        controller.order(other);
      }
      const hasEnded = (run: string) =>
        controller.reports.some((report) => report.type === 'ended' && report.run === run);
      return others.find(({ run }) => hasEnded(run));
    }, 'an attempt to run elsewhere');
    t.is((await controller.untilReport('ended', finished.run)).exitCode, 0);
    t.not((await controller.untilReport('started', finished.run)).pid, pid);
    const ended = await controller.untilReport('ended', looping.run);
    t.is(ended.outcome, 'timed-out');
    await until(() => !existsSync(`/proc/${pid}`), 'its host is gone');
  },
);

test.serial(
  'when a host breaks down, what ran in it is lost, what was alone in it has failed',
  async (t) => {
    const { controller, agent } = await followAgent(t);
    const crash = 'process.kill(process.pid, "SIGSEGV"); await new Promise(() => {});';
    const alone = moduleOrder(agent, `export default async () => { ${crash} };`);
    controller.order(alone);
    const failed = await controller.untilReport('ended', alone.run);
    t.is(failed.outcome, 'signalled');
    t.regex(failed.reason ?? '', /module host ended \(SIG/);

    const innocent = moduleOrder(agent, forEver);
    controller.order(innocent);
    await until(() => controller.log(innocent.run) === 'in\n', 'it runs');
    const guilty = orderTo({ module: alone.module });
    controller.order(guilty);
    for (const { run } of [innocent, guilty]) {
      t.is((await controller.untilReport('ended', run)).outcome, 'lost');
    }
  },
);

test.serial('an error that nobody catches fails the attempt that it belongs to', async (t) => {
  const { controller, agent } = await followAgent(t);
  const order = moduleOrder(
    agent,
    `export default async () => {
       setTimeout(() => { throw new Error('behind the back'); }, 5);
       await new Promise(() => {});
     };`,
    { graceMs: 100 },
  );
  controller.order(order);
  const ended = await controller.untilReport('ended', order.run);
  t.is(ended.outcome, 'signalled');
  t.regex(ended.reason ?? '', /^uncaught Error: behind the back/);
  const ending = moduleOrder(agent, 'export default () => { process.exit(0); };');
  controller.order(ending);
  t.regex((await controller.untilReport('ended', ending.run)).reason ?? '', /must not end it/);
});

test.serial('a module that has changed on the disk is loaded anew', async (t) => {
  const { controller, agent } = await followAgent(t);
  const order = moduleOrder(agent, 'export default ({ log }) => log("one");');
  controller.order(order);
  await controller.untilReport('ended', order.run);
  const path = order.module?.path ?? '';
  writeFileSync(path, 'export default ({ log }) => log("two");');
  utimesSync(path, 1, 1);
  const again = orderTo({ module: { path } });
  controller.order(again);
  await controller.untilReport('ended', again.run);
  t.is(controller.log(again.run), 'two\n');
});

test.serial('what a module says is kept to its limit', async (t) => {
  const { controller, agent } = await followAgent(t);
  const text = `export default async ({ log, signal }) => {
    for (let index = 0; index < 100; index += 1) log('x'.repeat(99));
    while (!signal.aborted && signal.wait !== false) await new Promise((r) => setTimeout(r, 5));
  };`;
  const kept = moduleOrder(agent, text.replace('signal.wait !== false', 'false'), {
    output: { limitBytes: 250, onLimit: 'truncate' },
  });
  controller.order(kept);
  t.is(
    (await controller.untilReport('ended', kept.run)).reason,
    '9750 bytes of its output were dropped',
  );
  t.is(controller.log(kept.run).length, 250);
  const ended = moduleOrder(agent, text, { output: { limitBytes: 250, onLimit: 'kill' } });
  controller.order(ended);
  const said = await controller.untilReport('ended', ended.run);
  t.is(said.outcome, 'signalled');
  t.regex(said.reason ?? '', /^its output exceeded 250b/);
});

test.serial('a module host ends with its worker', async (t) => {
  const { controller, agent } = await followAgent(t);
  const order = moduleOrder(agent, forEver);
  controller.order(order);
  const { pid } = await controller.untilReport('started', order.run);
  agent.child.kill('SIGKILL');
  await until(() => !existsSync(`/proc/${pid}`), 'it is gone');
  t.pass();
});
