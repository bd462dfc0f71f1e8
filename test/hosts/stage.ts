import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { HostNetwork } from '@understudy/scripts/hosts/network';
import { whyNoHosts } from '@understudy/scripts/hosts/why-no-hosts';
import test, { type ExecutionContext } from 'ava';
import { Scenario } from '../faults/scenario.ts';
import type { ClusterOptions } from '../support/cluster.ts';
import { premisesIn } from '../support/hosts/premises.ts';
import { AddressSampler } from '../support/hosts/sampler.ts';
import { UserProcess } from '../support/hosts/user-process.ts';

const missing = whyNoHosts();

/** Hosts of their own network on which a test plays, and a pair at work on them. */
export interface Stage {
  readonly network: HostNetwork;
  readonly scenario: Scenario;
  /** A user on the host `client`, who submits runs under this base URL. */
  addUser(url: string, options?: Partial<UserOptions>): UserProcess;
  /** Looks from now on which of the controller hosts have this address. */
  watch(address: string): AddressSampler;
}

interface UserOptions {
  readonly everyMs: number;
  readonly keepsConnections: boolean;
}

type OnHosts = (title: string, check: (t: ExecutionContext, stage: Stage) => Promise<void>) => void;

/** Controller hosts `a` and `b`, worker hosts `w1` and `w2`, and `client`, from where users come. */
const HOSTS = ['a', 'b', 'w1', 'w2', 'client'];

/**
 * To be called once in a file: gives what declares a test. All tests of the file share one pair, on hosts with a network of
 * their own, and run one after the other. `options` may depend on the network, whose addresses are chosen at
 * random. Its agents are patient: nobody has to start them anew. Where there can be no such hosts the tests fail if CI is set, else they are skipped.
 */
export function stageOf(options: (network: HostNetwork) => ClusterOptions = () => ({})): OnHosts {
  let network: HostNetwork | null = null;
  const begin = Scenario.shared(test, (owner) => {
    network = HostNetwork.make(owner, HOSTS);
    const chosen = options(network);
    return {
      premises: premisesIn(network),
      ...chosen,
      host: { agents: { lostAfter: '120s' }, ...chosen.host },
      agent: { retry: { every: '200ms', timeout: '250ms', limit: 2_000 }, ...chosen.agent },
    };
  });
  return (title, check) => {
    test.serial(title, async (t) => {
      if (missing !== null) {
        t.log(`skipped: ${missing}`);
        if (process.env['CI']) t.fail(missing);
        else t.pass();
        return;
      }
      const scenario = await begin(t);
      if (network === null) throw new Error('the network was not made');
      await check(t, stageFor(t, network, scenario));
    });
  };
}

function stageFor(t: ExecutionContext, network: HostNetwork, scenario: Scenario): Stage {
  const { folder, token, hosts } = scenario.cluster.facts;
  return {
    network,
    scenario,
    addUser: (url, options = {}) =>
      UserProcess.start(t, network.host('client'), {
        url,
        token,
        // Its runs may be tried again.
        job: 'again',
        everyMs: 50,
        keepsConnections: false,
        history: join(folder, `user-${randomBytes(4).toString('hex')}.ndjson`),
        ...options,
      }),
    watch: (address) =>
      AddressSampler.start(
        t,
        hosts.map(({ node }) => network.host(node)),
        address,
      ),
  };
}
