import { isDeepStrictEqual } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { controllerUrl } from '../support/cluster/configs.ts';
import { eventually } from '../support/cluster/eventually.ts';
import { signal } from '../support/cluster/proc.ts';
import { EventFollower, followLog } from '../support/cluster/stream-follower.ts';
import { BUSY_MS } from './bounds.ts';
import { Scenario } from './scenario.ts';

const FOLLOWERS = 5;
const LINES = 200;
/** About six seconds, across the change of the active. */
const talk = `i=0; while [ $i -lt ${LINES} ]; do echo "line $i"; i=$((i+1)); sleep 0.03; done`;
const said = Array.from({ length: LINES }, (_, line) => `line ${line}\n`).join('');

const begin = Scenario.shared(test, {
  host: { agents: { lostAfter: '120s' } },
  agent: { retry: { every: '200ms', timeout: '250ms', limit: 1_000 } },
});

/** Sessions across that change: nothing is missed, nothing comes twice, and no stream outlives its tenure. */
async function acrossChange(
  t: ExecutionContext,
  scenario: Scenario,
  change: (scenario: Scenario) => Promise<number>,
): Promise<void> {
  const { cluster, before, termBefore, bounds } = scenario;
  const options = { urls: cluster.facts.hosts.map(controllerUrl), token: cluster.facts.token };
  await cluster.client.putJob({ name: 'talker', command: ['sh', '-c', talk] });
  const followers = Array.from({ length: FOLLOWERS }, () => new EventFollower(options));
  for (const follower of followers) t.teardown(() => follower.stop());
  await eventually(() => (followers.every(({ place }) => place !== null) ? true : null), {
    what: 'every follower to know its place',
  });
  const talker = await scenario.submit('talker', 1, 0);
  const logs = talker.map(({ id }) => followLog(options, id));
  await scenario.submit('once', 5, 1);
  const outlivesMs = await change(scenario);
  const at = process.hrtime.bigint();
  await cluster.settled({ above: termBefore });
  await scenario.submit('again', 5, 0.1);
  t.is((await logs[0])?.toString(), said, 'the log of the run, once and whole');

  const force = { term: termBefore + 1n, overlapMs: bounds.fenceMs + BUSY_MS };
  const { runs } = await scenario.judge(process.hrtime.bigint(), force);
  t.true(runs.every((run) => run.state === 'succeeded'));
  const stored = await cluster.query<{ seq: string; kind: string }>(
    'select seq, kind from understudy.event where pair = $1 order by seq',
    [cluster.facts.pair],
  );
  const last = BigInt(stored.at(-1)?.seq ?? 0);
  for (const follower of followers) {
    await eventually(() => (follower.lastSeq >= last ? true : null), { what: 'the last event' });
    const wanted = stored
      .map(({ seq, kind }) => ({ seq: BigInt(seq), type: kind }))
      .filter(({ seq }) => seq > (follower.place ?? 0n));
    const seen = follower.events.filter(({ seq }) => seq <= last);
    t.true(isDeepStrictEqual(seen, wanted), 'every event, once and in order');
    t.true(seen.filter(({ type }) => type === 'run-ended').length >= 11);
    const old = follower.sessions.filter(({ node }) => node === before.active.node);
    for (const { closedAt } of old) {
      const lateMs = Number((closedAt ?? process.hrtime.bigint()) - at) / 1e6;
      t.true(lateMs <= outlivesMs + BUSY_MS, `a stream of the old active lasted ${lateMs} ms more`);
    }
    follower.stop();
  }
}

test.serial(
  'F112: who follows events and logs misses nothing when the controller crashes',
  async (t) => {
    await acrossChange(t, await begin(t), async ({ before }) => {
      signal(await before.active.controllerPid(), 'SIGKILL');
      return 0;
    });
  },
);

test.serial('F112: who follows events and logs misses nothing in a switch-over', async (t) => {
  await acrossChange(t, await begin(t), async ({ cluster }) => {
    const { code, stderr } = await cluster.command(['switchover']);
    t.is(code, 0, stderr);
    return 0;
  });
});

test.serial(
  'F112: the streams of a controller that is fenced are closed, and nothing is missed',
  async (t) => {
    await acrossChange(t, await begin(t), async ({ cluster, before, bounds }) => {
      const { node } = before.passive;
      const order = ['switchover', '--force', '--yes', cluster.facts.pair, '--to', node];
      const { code, stderr } = await cluster.command(order);
      t.is(code, 0, stderr);
      return bounds.fenceMs;
    });
  },
);
