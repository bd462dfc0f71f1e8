import { existsSync } from 'node:fs';
import test from 'ava';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { childrenOf, signal } from '../support/cluster/proc.ts';
import { BUSY_MS } from './bounds.ts';
import { Scenario } from './scenario.ts';

const RETRY = { every: '200ms', timeout: '250ms', limit: 40 };
/** The agents' N * h: so long after a controller serves they have found it. */
const FOUND_WITHIN_MS = RETRY.limit * 200;

const begin = Scenario.shared(test, {
  linked: true,
  host: { agents: { lostAfter: '60s' } },
  agent: { retry: RETRY },
});

test.serial(
  'F96: when the active is lost, the agents follow the next one within N * h',
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    await scenario.submitTwenty();
    await before.active.killHeartbeat();
    await cluster.activeOn(before.passive.node);
    const servesAt = performance.now();
    await cluster.agentsConnected(['w1', 'w2']);
    const afterMs = Math.round(performance.now() - servesAt);
    t.true(afterMs <= FOUND_WITHIN_MS + BUSY_MS, `${afterMs} ms`);
    before.active.start();
    const { runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'succeeded'));
  },
);

test.serial(
  "F98: an agent on the old active's side of a partition gets nothing new, and finishes what it has",
  async (t) => {
    const scenario = await begin(t);
    const { cluster, before, bounds } = scenario;
    const [a, b] = [before.active.node, before.passive.node];
    const running = await scenario.submit('once', 8, 3);
    await scenario.started(running);
    const { links } = cluster;
    const cut = [links.database(a), ...links.peers, links.link('w1', b), links.link('w2', a)];
    const cutAt = process.hrtime.bigint();
    for (const link of cut) link.blackhole();
    await scenario.servedBy(b, cutAt, bounds.silenceMs + BUSY_MS);
    const later = await scenario.submit('once', 4, 0.2);
    await eventually(
      async () => {
        const ended = await Promise.all(later.map(({ id }) => cluster.client.run(id)));
        return ended.every((run) => run.state === 'succeeded' && run.agent === 'w2') ? true : null;
      },
      { what: 'the new runs to be done by the agent on this side' },
    );
    cluster.heal();
    const { runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'succeeded'));
  },
);

test.serial(
  'F103: an agent that was frozen until it was lost revives none of its runs',
  async (t) => {
    const scenario = await Scenario.begin(t, {
      host: { agents: { beatEvery: '500ms', lostAfter: '6s' } },
      agent: { retry: { ...RETRY, limit: 8 } },
    });
    const { cluster } = scenario;
    const submitted = [
      ...(await scenario.submit('once', 4, 3)),
      ...(await scenario.submit('again', 4, 3)),
    ];
    await scenario.started(submitted);
    const ran = await Promise.all(submitted.map(({ id }) => cluster.client.run(id)));
    const onFrozen = new Set(ran.filter((run) => run.agent === 'w1').map(({ id }) => id));
    const { program } = cluster.agent('w1');
    const frozen = [program.pid, ...childrenOf(program.pid)];
    for (const pid of frozen) signal(pid, 'SIGSTOP');
    await eventually(
      async () => {
        const runs = await Promise.all([...onFrozen].map((id) => cluster.client.run(id)));
        const once = runs.filter((run) => run.job === 'once');
        return once.every((run) => run.state === 'lost') ? true : null;
      },
      { what: 'its runs to be lost' },
    );
    for (const pid of frozen) signal(pid, 'SIGCONT');
    await faultLasts(2_000);
    const { runs } = await scenario.judge();
    for (const run of runs) {
      t.is(run.state, run.job === 'once' && onFrozen.has(run.id) ? 'lost' : 'succeeded');
    }
  },
);

test.serial(
  'F97: what runs at most once has ended on an agent that is cut off before it is called lost',
  async (t) => {
    const scenario = await Scenario.begin(t, {
      linked: true,
      agents: ['w1'],
      host: { agents: { beatEvery: '500ms', lostAfter: '10s' } },
      // It goes on looking for a controller: nothing but the law ends what it runs.
      agent: { retry: { ...RETRY, limit: 1_000 }, onLost: { running: 'finish' } },
    });
    const { cluster } = scenario;
    const submitted = await scenario.submit('once', 3, 300);
    await scenario.started(submitted);
    const pids = scenario.starts.map(({ pid }) => pid);
    const { links } = cluster;
    for (const node of ['a', 'b']) links.link('w1', node).blackhole();
    await eventually(
      async () => {
        const runs = await Promise.all(submitted.map(({ id }) => cluster.client.run(id)));
        const lost = runs.filter((run) => run.state === 'lost');
        const left = pids.filter((pid) => existsSync(`/proc/${pid}`));
        if (lost.length > 0) t.deepEqual(left, [], 'a run is called lost, and its process lives');
        return lost.length === runs.length ? true : null;
      },
      { what: 'its runs to be lost', everyMs: 20 },
    );
    cluster.heal();
    const { runs } = await scenario.judge();
    t.true(runs.every((run) => run.state === 'lost'));
  },
);
