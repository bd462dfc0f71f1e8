import { once } from 'node:events';
import { createServer } from 'node:net';
import type { Finding } from '@understudy/scripts/doctor/finding';
import test from 'ava';
import { runCommand } from '../support/cluster/program.ts';
import { type Cluster, makeCluster } from '../support/cluster.ts';

/** As on a real host: what is committed is on disk, and a busy machine makes no distance a problem. */
const options = {
  agents: ['w1'],
  postgres: { fsync: 'on' },
  host: { failover: { target: '10s' } },
};

async function examine(cluster: Cluster, config: string, ...more: string[]) {
  const args = ['doctor', '--json', '--config', config, ...more];
  const { code, stdout, stderr } = await runCommand(args, cluster.environment);
  const { findings } = JSON.parse(stdout || '{"findings":[]}') as { findings: Finding[] };
  const problems = findings.filter(({ level }) => level === 'problem');
  const named = (name: string) => findings.filter(({ check }) => check.startsWith(name));
  return { code, problems, named, stderr };
}

test('a pair that runs is well, seen from its hosts and from its agents', async (t) => {
  const cluster = await makeCluster(t, options);
  const { active, passive } = await cluster.start();
  for (const { options } of [active, passive, cluster.agent('w1')]) {
    const { code, problems, stderr } = await examine(cluster, options.config);
    t.deepEqual(problems, []);
    t.is(code, 0, stderr);
  }

  const wrong = ['--set', 'token=another-token-0123456789'];
  const stranger = await examine(cluster, active.options.config, ...wrong);
  t.is(stranger.code, 1);
  t.deepEqual(
    stranger.problems.map(({ text }) => text),
    ['refuses our token'],
  );
  const agent = await examine(cluster, cluster.agent('w1').options.config, ...wrong);
  t.deepEqual(
    agent.problems.map(({ check, text }) => [check, text]),
    [['token', 'the controller answers 401']],
  );

  await cluster.postgres.stop();
  const { code, problems, named } = await examine(cluster, active.options.config);
  t.is(code, 1);
  t.true(problems.some(({ check, text }) => check === 'database' && /no writable/.test(text)));
  // All else was looked at all the same.
  for (const check of ['versions', 'setpriv', 'ports', 'peer ']) {
    t.deepEqual(
      named(check)
        .map(({ level }) => level)
        .slice(0, 1),
      ['ok'],
      check,
    );
  }
});

test('a host before its first start: what is free, what is not, and who does not answer', async (t) => {
  const cluster = await makeCluster(t, options);
  const { config, controllerUrl } = cluster.host('a').options;
  const squatter = createServer().listen(Number(new URL(controllerUrl).port), '127.0.0.1');
  await once(squatter, 'listening');
  t.teardown(() => squatter.close());
  const host = await examine(cluster, config);
  t.is(host.code, 1);
  t.deepEqual(host.problems.map(({ check }) => check.replace(/\d+$/, '')).toSorted(), [
    'peer http://127.0.0.1:',
    'port ',
  ]);
  t.is(host.named('port').filter(({ level }) => level === 'ok').length, 1);
  t.is(host.named('schema')[0]?.level, 'ok');

  const agent = await examine(cluster, cluster.agent('w1').options.config);
  t.deepEqual(
    agent.problems.map(({ check }) => check),
    ['controllers'],
  );

  await cluster.query('drop schema understudy cascade');
  const bare = await examine(cluster, config);
  t.regex(bare.named('schema')[0]?.advice ?? '', /understudy create/);

  const broken = await examine(cluster, config, '--set', 'failover.target=soon');
  t.is(broken.code, 1);
  t.regex(broken.named('configuration')[0]?.text ?? '', /failover\.target holds "soon"/);
  t.is(broken.named('versions')[0]?.level, 'ok');
});

test('I5: a pair that speaks TLS is well, and its certificates are looked at', async (t) => {
  const cluster = await makeCluster(t, { ...options, tls: true });
  const { active } = await cluster.start();
  for (const { options } of [active, cluster.agent('w1')]) {
    const { code, problems, named, stderr } = await examine(cluster, options.config);
    t.deepEqual(problems, []);
    t.is(code, 0, stderr);
    t.true(named('certificate').length > 0);
  }
});
