import test from 'ava';
import { needing } from '../../support/balancer/needing.ts';
import { runIn, runsOnShelf } from '../../support/balancer/users.ts';
import { faultLasts } from '../../support/cluster/eventually.ts';
import type { Host } from '../../support/cluster/host.ts';
import { servingFaults } from '../../support/invariants/service.ts';
import { BUSY_MS } from '../bounds.ts';
import { Scenario } from '../scenario.ts';
import { onlyPlainLost, putBehind, STEADY } from './behind.ts';

const begin = Scenario.shared(test, STEADY);

/** Looks so seldom, and needs so many looks. */
function looking(every: string, fall: number): (text: string) => string {
  const line = `inter ${every} fastinter ${every} downinter ${every} fall ${fall}`;
  return (text) => text.replace(/inter \S+ fastinter \S+ downinter \S+ fall \d+/, line);
}

/** Only to this node. */
function leadingTo(node: string): (text: string) => string {
  const isOther = new RegExp(`^ +server (?!${node}\\b)`);
  return (text) =>
    text
      .split('\n')
      .filter((line) => !isOther.test(line))
      .join('\n');
}

test.serial(
  'F108: while the checks of HAProxy lag behind a fail-over, nobody is answered by the passive',
  needing(['haproxy'], async (t) => {
    const scenario = await begin(t);
    const { cluster, before } = scenario;
    const { users } = await putBehind(t, cluster, { change: looking('2s', 3) });
    const load = users.start(50);
    await faultLasts(1_000);
    await before.active.killHeartbeat();
    await cluster.activeOn(before.passive.node);
    before.active.start();
    await before.active.until('to be ready', ({ ready }) => ready);
    const answered = await users.ask('read');
    t.is(answered.served?.node, before.passive.node);
    await faultLasts(2_000);
    const asked = await load.stop();
    onlyPlainLost(t, asked);
    t.deepEqual(servingFaults(asked.flatMap(({ served }) => served ?? [])), []);
    await scenario.judge();
  }),
);

test.serial(
  'F109: who writes to an old active by way of HAProxy is refused and told when to come again; nothing of it is committed',
  needing(['haproxy'], async (t) => {
    // Its controller trusts itself for long after it was heard of last.
    const host = { ...STEADY.host, failover: { target: '20s' } };
    const scenario = await Scenario.begin(t, { ...STEADY, host });
    const { cluster, before, termBefore, bounds } = scenario;
    const { active, passive } = before;
    // It knows of no other controller, as one that lags for long enough, and is soon tired of waiting.
    const change = (text: string) =>
      leadingTo(active.node)(text).replace(/retries \d+/, 'retries 3');
    const old = await putBehind(t, cluster, { change });
    const load = (await putBehind(t, cluster)).users.start(50);
    t.is((await old.users.ask('plain')).served?.node, active.node);
    // Nobody tells the old controller that it is the old one.
    active.heartbeat.signal('SIGSTOP');
    t.is(await forceTo(passive, cluster.facts.token), 200);
    const refused = await Promise.all(
      Array.from({ length: 10 }, (_, n) => old.users.ask(n % 2 === 0 ? 'plain' : 'keyed')),
    );
    for (const { status, headers, text } of refused) {
      // Cut off in the middle it may have been, too: that is no answer.
      if (status === null) continue;
      t.true(status === 502 || status === 503, `${status} ${text}`);
      t.is(headers['retry-after'], '1');
    }
    await faultLasts(1_000);
    const asked = await load.stop();
    onlyPlainLost(t, asked);
    active.heartbeat.signal('SIGCONT');
    await active.until('to be passive again', ({ role, ready }) => role === 'passive' && ready);
    const made = new Set(await runsOnShelf(cluster));
    const answered = asked.filter(({ kind, served }) => kind !== 'read' && served !== null);
    t.deepEqual(
      answered.map(runIn).filter((id) => !made.has(id)),
      [],
      'what was answered with success is there',
    );
    const maybe = asked.filter(({ kind, served }) => kind === 'plain' && served === null).length;
    const mostMade = new Set(answered.map(runIn)).size + 1 + maybe;
    t.true(made.size <= mostMade, `${made.size} runs: what was refused is not there`);
    const overlapMs = bounds.fenceMs + BUSY_MS;
    await scenario.judge(process.hrtime.bigint(), { term: termBefore + 1n, overlapMs });
  }),
);

/** An operator takes the role for this node, whoever has it. Asked directly, for a command takes its time to start. */
async function forceTo({ node, options }: Host, token: string): Promise<number> {
  const response = await fetch(`${options.heartbeatUrl}/switchover`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ to: node, force: true }),
  });
  return response.status;
}
