import test from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { Scenario } from './scenario.ts';

test('who follows a log through a fail-over gets each byte once, and from any byte on it is the same afterwards', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster, before } = scenario;
  const { client } = cluster;
  const count = 60;
  const script = `i=0; while [ $i -lt ${count} ]; do i=$((i+1)); echo "line $i"; sleep 0.1; done`;
  await client.putJob({ name: 'writes', command: ['sh', '-c', script] });
  const run = await client.submit('writes', 'only');
  const followed = cluster.command(['run', 'logs', run.id, '--follow', '--timeout', '2m']);
  await eventually(async () => ((await client.run(run.id)).logBytes > 50 ? true : null), {
    what: 'some output to be stored',
  });
  await before.active.killHeartbeat();
  await cluster.activeOn(before.passive.node);
  before.active.start();
  const expected = Array.from({ length: count }, (_, index) => `line ${index + 1}\n`).join('');
  const { code, stdout } = await followed;
  t.is(code, 0);
  t.is(stdout, expected);
  const { runs } = await scenario.judge();
  t.is(runs.find(({ id }) => id === run.id)?.state, 'succeeded');
  for (const offset of [0, 1, 500, expected.length - 1, expected.length, expected.length + 9]) {
    const log = await client.request('GET', `/api/v1/runs/${run.id}/log?offset=${offset}`);
    t.is(log, expected.slice(offset), `${offset}`);
  }
});
