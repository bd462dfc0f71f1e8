import { chmodSync, readFileSync } from 'node:fs';
import { signal } from '../support/cluster/proc.ts';
import { runCommand } from '../support/cluster/program.ts';
import { premisesIn } from '../support/hosts/premises.ts';
import { addressFaults } from '../support/invariants/address.ts';
import { answeredBy, onlyOn, urlsOf, watchBoth, withAddresses } from './addresses.ts';
import { stageOf } from './stage.ts';

const onHosts = stageOf((network) => ({
  ...withAddresses(network),
  premises: premisesIn(network, true),
  // What lets others pass to the configurations.
  prepare: (folder) => chmodSync(folder, 0o711),
}));

onHosts(
  'D10: a plain user with CAP_NET_ADMIN and CAP_NET_RAW as ambient capabilities moves and announces the addresses',
  async (t, stage) => {
    const { network, scenario, addUser } = stage;
    const { active, passive } = scenario.before;
    const status = readFileSync(`/proc/${active.heartbeat.pid}/status`, 'utf8');
    t.regex(status, /^Uid:\s+65534\s/m);
    t.regex(status, /^CapEff:\s+0000000000003000$/m);
    const samplers = await watchBoth(stage);
    const users = urlsOf(network).map((url) => addUser(url));
    for (const user of users) await answeredBy(user, active.node);
    signal(await active.controllerPid(), 'SIGKILL');
    await onlyOn(samplers, passive.node);
    for (const user of users) await answeredBy(user, passive.node);
    await scenario.cluster.settled();
    t.is((await scenario.cluster.command(['switchover'], passive.node)).code, 0);
    await onlyOn(samplers, active.node);
    await scenario.judge();
    for (const { node } of [active, passive]) {
      t.deepEqual(scenario.logLines(node, 'could not be'), []);
    }
    for (const { samples } of samplers) t.deepEqual(addressFaults(samples, 0), []);
  },
);

onHosts(
  'a heartbeat without the rights for the addresses is refused with what it lacks',
  async (t, stage) => {
    const { active } = stage.scenario.before;
    const { config, environment } = active.options;
    const prefix = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--'];
    const { code, stderr } = await runCommand(
      ['heartbeat', '--config', config, '--set', 'heartbeat.listen=127.0.0.1:7499'],
      environment,
      [...stage.network.host(active.node).prefix, ...prefix],
    );
    t.is(code, 78);
    t.regex(stderr, /CAP_NET_ADMIN is missing.*AmbientCapabilities=/);
    t.regex(stderr, /CAP_NET_RAW is missing/);
  },
);
