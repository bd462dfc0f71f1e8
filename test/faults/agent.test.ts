import type { Run } from '@understudy/shared/protocol/api';
import test from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import { processesMarked } from '../support/cluster/proc.ts';
import { Scenario } from './scenario.ts';

const agentOf = (run: Run | undefined) => run?.attempts[0]?.agent ?? null;

test('F99: when an agent dies, what ran at most once is lost and the rest is tried again', async (t) => {
  const scenario = await Scenario.begin(t);
  const { cluster } = scenario;
  const submitted = [
    ...(await scenario.submit('once', 6, 5)),
    ...(await scenario.submit('again', 6, 5)),
  ];
  await scenario.started(submitted);
  const ran = await Promise.all(submitted.map(({ id }) => cluster.client.run(id)));
  const onDead = new Set(ran.filter((run) => agentOf(run) === 'w1').map((run) => run.id));
  t.true(onDead.size > 0 && onDead.size < ran.length, 'both agents were used');
  await cluster.agent('w1').kill();
  const { runs } = await scenario.judge();
  for (const run of runs) {
    const expected = onDead.has(run.id) && run.job === 'once' ? 'lost' : 'succeeded';
    t.is(run.state, expected, `${run.job} on ${agentOf(run)}`);
    if (onDead.has(run.id) && run.job === 'again') t.is(run.attempts.length, 2);
  }
});

test('F99: an agent that comes back starts nothing again by itself', async (t) => {
  const scenario = await Scenario.begin(t, { agents: ['w1'] });
  const { cluster } = scenario;
  const submitted = [
    ...(await scenario.submit('once', 3, 5)),
    ...(await scenario.submit('again', 3, 5)),
  ];
  await scenario.started(submitted);
  await cluster.agent('w1').kill();
  cluster.agent('w1').start();
  const { runs } = await scenario.judge();
  for (const run of runs) t.is(run.state, run.job === 'once' ? 'lost' : 'succeeded');
});

test('F97: an agent that finds no controller gives up, takes its work along and exits with 69', async (t) => {
  const scenario = await Scenario.begin(t, { agent: { onLost: { running: 'kill' } } });
  const { cluster } = scenario;
  await scenario.started(await scenario.submit('once', 4, 300));
  await Promise.all(cluster.hosts.map((host) => host.killHeartbeat()));
  const programs = [...cluster.agents.values()].map((agent) => agent.program);
  t.deepEqual(await Promise.all(programs.map((program) => program.ended)), [69, 69]);
  const left = processesMarked(cluster.facts.pair);
  t.deepEqual(left, [], 'nothing runs any more');
  for (const host of cluster.hosts) host.start();
  for (const agent of cluster.agents.values()) agent.start();
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'lost'));
});

test('F122: an agent with a wrong token gets no work and no data', async (t) => {
  const scenario = await Scenario.begin(t, { agents: ['w1'] });
  const { cluster } = scenario;
  const rogue = cluster.addAgent('rogue', { token: 'not-the-token-of-this-pair', slots: 100 });
  rogue.start();
  await scenario.submit('once', 10, 0.5);
  t.is(await rogue.program.ended, 69, 'it gives up');
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
  t.true(runs.flatMap((run) => run.attempts).every((attempt) => attempt.agent === 'w1'));
});

test('F122: a client with a wrong token is told nothing', async (t) => {
  const scenario = await Scenario.begin(t, { agents: [] });
  const { cluster, before } = scenario;
  const rogue = cluster.makeClient('rogue', 'not-the-token-of-this-pair');
  t.teardown(() => rogue.close());
  const url = before.active.options.controllerUrl;
  for (const path of ['/api/v1/jobs', '/api/v1/runs', '/api/v1/agents', '/api/v1/pair']) {
    t.is((await rogue.ask(url, 'GET', path))?.status, 401, path);
  }
  const write = await rogue.ask(url, 'PUT', '/api/v1/jobs/x', {
    body: { name: 'x', command: ['true'] },
  });
  t.is(write?.status, 401);
});

test('F122: a peer with another token is not believed, and takes no part', async (t) => {
  const scenario = await Scenario.begin(t, {
    agents: ['w1'],
    each: { b: { token: 'not-the-token-of-this-pair' } },
  });
  const { before, termBefore } = scenario;
  const status = await before.active.until('to refuse its peer', ({ peers }) =>
    peers.every((peer) => peer.error !== null),
  );
  t.is(status.term, String(termBefore));
  await eventually(() => (scenario.prober.successes.length > 20 ? true : null), {
    what: 'undisturbed service',
  });
  await scenario.judge();
});
