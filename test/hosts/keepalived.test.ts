import { BUSY_MS } from '../faults/bounds.ts';
import { Keepalived } from '../support/balancer/keepalived.ts';
import { needingRoot } from '../support/balancer/needing.ts';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { AddressSampler } from '../support/hosts/sampler.ts';
import { addressFaults } from '../support/invariants/address.ts';
import { stageOf } from './stage.ts';

/** A script that looks once a second, and may take two. */
const FOLLOWS_WITHIN_MS = 3_000;

const onHosts = stageOf();

onHosts(
  'F113: the address that keepalived moves follows the lease, through reloads, and where its hosts do not hear each other',
  async (t, { network, scenario, addUser }) => {
    await needingRoot(['keepalived', 'curl'], async () => {
      const { cluster, before } = scenario;
      const [active, passive] = [before.active.node, before.passive.node];
      const hosts = [network.host(active), network.host(passive)];
      const vip = network.free(9);
      const [address = ''] = vip.split('/');
      const sampler = AddressSampler.start(t, hosts, vip);
      const daemons: Keepalived[] = [];
      for (const host of hosts) daemons.push(await Keepalived.start(t, cluster, host, vip));
      t.teardown(() => {
        if (!t.passed) for (const { said } of daemons) t.log(said);
      });
      const isAt = (node: string) =>
        eventually(() => (sampler.holders.join() === node ? true : null), {
          what: `${address} to be at ${node} alone`,
        });

      await isAt(active);
      const user = addUser(`http://${address}:7300`);
      for (let times = 0; times < 3; times += 1) {
        for (const daemon of daemons) daemon.reload();
        await faultLasts(1_500);
        await isAt(active);
      }
      t.is((await cluster.command(['switchover'], active)).code, 0);
      await isAt(passive);
      t.deepEqual(addressFaults(sampler.samples, FOLLOWS_WITHIN_MS), []);

      for (const host of hosts) {
        host.run('nft', 'add table inet test');
        host.run('nft', 'add chain inet test in { type filter hook input priority 0; }');
        host.run('nft', 'add rule inet test in meta l4proto vrrp drop');
      }
      await faultLasts(5_000);
      await isAt(passive);
      await cluster.settled({ active: passive });
      t.is((await cluster.command(['switchover'], passive)).code, 0);
      await isAt(active);
      const neverTwice = sampler.samples.every(({ holders }) => holders.length < 2);
      t.log(`never at both hosts: ${neverTwice}`);
      t.deepEqual(addressFaults(sampler.samples, FOLLOWS_WITHIN_MS + BUSY_MS), []);
      await eventually(
        () => ([active, passive].every((node) => user.answered(node).length > 0) ? true : null),
        { what: 'the user to be answered by both' },
      );
      await scenario.judge();
    })(t);
  },
);
