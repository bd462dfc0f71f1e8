import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { signal } from '../support/cluster/proc.ts';
import { StubbornIp } from '../support/hosts/stubborn-ip.ts';
import { addressFaults } from '../support/invariants/address.ts';
import { addressesOf, answeredBy, onlyOn, urlsOf, watchBoth, withAddresses } from './addresses.ts';
import { stageOf } from './stage.ts';

let stubborn: StubbornIp | null = null;

/** Set up when the first test begins. */
function ip(): StubbornIp {
  if (stubborn === null) throw new Error('nothing stands before `ip`');
  return stubborn;
}

const onHosts = stageOf((network) => ({
  ...withAddresses(network),
  prepare: (folder) => {
    stubborn = StubbornIp.install(folder);
  },
}));

for (const manner of ['hangs', 'fails'] as const) {
  onHosts(
    `F105: the command that removes the addresses ${manner}: the kernel removes them, and nobody is answered there`,
    async (t, stage) => {
      const { network, scenario, addUser } = stage;
      const { cluster, before } = scenario;
      const { active, passive, activeStatus } = before;
      const samplers = await watchBoth(stage);
      const users = urlsOf(network).map((url) => addUser(url));
      ip().set(active.node, manner);
      t.teardown(() => ip().set(active.node, 'works'));
      const at = process.hrtime.bigint();
      signal(await active.controllerPid(), 'SIGKILL');
      await onlyOn(samplers, passive.node);
      for (const user of users) {
        await answeredBy(user, passive.node);
        t.deepEqual(
          user.answered(active.node).filter(({ sentAt }) => BigInt(sentAt) > at),
          [],
        );
      }
      const { vip } = await active.until('to tell of it', (view) => view.vip?.problem !== null);
      t.regex(vip?.problem ?? '', manner === 'hangs' ? /no answer within/ : /not permitted/);
      const events = await eventually(
        async () => {
          const found = await cluster.query<{ evidence: string }>(
            "select evidence from understudy.pair_event where kind = 'address-failed' and node = $1",
            [active.node],
          );
          return found.length === 0 ? null : found;
        },
        { what: 'an event that tells of it' },
      );
      t.regex(events.at(-1)?.evidence ?? '', /^ip: /);
      ip().set(active.node, 'works');
      await active.until('to be well again', (view) => view.vip?.problem === null);
      await scenario.judge();
      // From the last renewal on: nothing could be done on that host but wait.
      const mostMs = activeStatus.timings.ttlMs + 1_000 + 100;
      for (const { samples } of samplers) t.deepEqual(addressFaults(samples, mostMs), []);
    },
  );
}

onHosts(
  'an active that can not add the addresses serves all the same, and adds them when it can',
  async (t, stage) => {
    const { network, scenario, watch } = stage;
    const { active, passive } = scenario.before;
    const samplers = addressesOf(network).map(watch);
    ip().set(passive.node, 'hangs');
    t.teardown(() => ip().set(passive.node, 'works'));
    signal(await active.controllerPid(), 'SIGKILL');
    await scenario.cluster.activeOn(passive.node);
    await passive.until('to tell of it', (view) => view.vip?.problem !== null);
    const { code, stdout } = await scenario.cluster.command(['status'], passive.node);
    t.is(code, 0, stdout);
    t.regex(stdout, /VIRTUAL IP/);
    t.regex(stdout, new RegExp(`${passive.node} is active and does not have the virtual address`));
    await faultLasts(1_000);
    t.deepEqual(
      samplers.flatMap(({ holders }) => holders),
      [],
    );
    ip().set(passive.node, 'works');
    await onlyOn(samplers, passive.node);
  },
);
