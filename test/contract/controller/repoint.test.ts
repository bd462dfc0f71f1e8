import { existsSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Run } from '@understudy/shared/protocol/api';
import test from 'ava';
import { AgentProcess, dataFolder } from '../agent/agent-process.ts';
import { until } from '../agent/until.ts';
import { Bench, startStore, TOKEN } from './bench.ts';

type Store = Awaited<ReturnType<typeof startStore>>;
let store: Store;
test.before(async () => {
  store = await startStore();
});
test.after.always(() => store.end());

test('I12: what runs goes on through a switch-over, once, and its agent goes where it is sent', async (t) => {
  const a = await Bench.start(t, store.postgres);
  const b = await Bench.start(t, store.postgres, { node: 'b', beside: a });
  await a.activate(5n);
  const data = dataFolder(t);
  // It knows of b only what a tells it, and a round of its own would come too late.
  const retry = { everyMs: 60_000, timeoutMs: 20_000, limit: 5 };
  const agent = new AgentProcess(t, { controllers: [a.url], token: TOKEN, data, retry });
  await agent.untilLogged('following a under term 5');
  const [go, begun] = [join(data, 'go'), join(data, 'begun')];
  const script = `echo $UNDERSTUDY_ATTEMPT >> ${begun}; while [ ! -e ${go} ]; do sleep 0.05; done; echo over`;
  await a.ask('PUT', '/api/v1/jobs/j', { command: ['/bin/sh', '-c', script] });
  const { id } = (await a.ask('POST', '/api/v1/jobs/j/runs', {})).body as Run;
  await until(() => existsSync(begun), 'the attempt runs');

  a.tell({ type: 'hold', forMs: 2_000 });
  await a.said('held');
  const activated = b.activate(6n);
  a.tell({ type: 'forward', to: b.url, forMs: 5_000 });
  await activated;
  await agent.untilLogged('repointed to b under term 6');
  await writeFile(go, '');
  const shown = async () => (await b.ask('GET', `/api/v1/runs/${id}`)).body as Run;
  let run = await shown();
  while (run.finishedAt === null) run = await shown();
  t.is(run.state, 'succeeded');
  t.is(run.attempts.length, 1);
  t.is(readFileSync(begun, 'utf8'), '1\n');
  const headers = { authorization: `Bearer ${TOKEN}` };
  const log = await fetch(`${b.url}/api/v1/runs/${id}/log`, { headers });
  t.is(await log.text(), 'over\n');
  const after = Number(/repointed to b under term 6 after (\d+) ms/.exec(agent.log)?.[1]);
  t.log(`repointed after ${after} ms`);
});
