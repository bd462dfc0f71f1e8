import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { AgentProcess, dataFolder } from './agent-process.ts';
import { FakeController } from './fake-controller.ts';
import { until } from './until.ts';

test('a wrapped worker is told the controller, and started anew when that changes', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  const b = await FakeController.open({ node: 'b', term: 2n });
  const { port, url } = b;
  await b.close();
  const told = `${dataFolder(t)}/told`;
  const script = `echo "$UNDERSTUDY_CONTROLLER_URL $UNDERSTUDY_TERM" >> ${told}; exec sleep 1000`;
  const worker = { command: ['/bin/sh', '-c', script] };
  const agent = new AgentProcess(t, { controllers: [a.url, url], worker });
  await until(() => contentOf(told) === `${a.url} 1\n`, 'the worker follows a');
  await a.close();
  const next = await FakeController.open({ node: 'b', term: 2n, port });
  t.teardown(() => next.close());
  await until(() => contentOf(told) === `${a.url} 1\n${url} 2\n`, 'the worker follows b');
  t.is(readFileSync(`${agent.data}/term`, 'utf8'), '2\n');
  agent.child.kill('SIGTERM');
  t.is((await agent.exited).code, 0);
});

test('a wrapped worker that ends is started again', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  t.teardown(() => a.close());
  const told = `${dataFolder(t)}/told`;
  const worker = { command: ['/bin/sh', '-c', `echo here >> ${told}; exit 7`] };
  const agent = new AgentProcess(t, { controllers: [a.url], worker });
  await until(() => contentOf(told) === 'here\nhere\n', 'it is started a second time');
  await agent.untilLogged('exit code 7');
  t.pass();
});

test('a wrapped worker is ended, with what it started, when its agent gives up', async (t) => {
  const a = await FakeController.open({ node: 'a', term: 1n });
  const told = `${dataFolder(t)}/told`;
  const script = `sleep 1000 & echo $! > ${told}.new; mv ${told}.new ${told}; wait`;
  const worker = { command: ['/bin/sh', '-c', script] };
  const retry = { everyMs: 50, timeoutMs: 10_000, limit: 2 };
  const agent = new AgentProcess(t, { controllers: [a.url], worker, retry });
  const pid = (await until(() => contentOf(told), 'the worker runs')).trim();
  await a.close();
  t.is((await agent.exited).code, 69);
  await until(() => !existsSync(`/proc/${pid}`), 'its child is gone');
});

function contentOf(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}
