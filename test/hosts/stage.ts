import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Scenario } from '../faults/scenario.ts';
import type { ClusterOptions } from '../support/cluster.ts';
import { HostNetwork } from '../support/hosts/network.ts';
import { premisesIn } from '../support/hosts/premises.ts';
import { UserProcess } from '../support/hosts/user-process.ts';
import { whyNoHosts } from '../support/hosts/why-no-hosts.ts';

const missing = whyNoHosts();

/** Hosts of their own network on which a test plays, and a pair at work on them. */
export interface Stage {
  readonly network: HostNetwork;
  readonly scenario: Scenario;
  /** A user on the host `client`, who submits runs under this base URL. */
  addUser(url: string, options?: Partial<UserOptions>): UserProcess;
}

interface UserOptions {
  readonly everyMs: number;
  readonly keepsConnections: boolean;
}

/** Controller hosts `a` and `b`, worker hosts `w1` and `w2`, and `client`, from where users come. */
const HOSTS = ['a', 'b', 'w1', 'w2', 'client'];

/**
 * A test whose pair runs on hosts with a network of their own. `options` may depend on the network, for its addresses
 * are chosen at random. Where there can be none it fails if CI is set, else it is skipped.
 */
export function onHosts(
  title: string,
  options: (network: HostNetwork) => ClusterOptions,
  check: (t: ExecutionContext, stage: Stage) => Promise<void>,
): void {
  test.serial(title, async (t) => {
    if (missing !== null) {
      t.log(`skipped: ${missing}`);
      if (process.env['CI']) t.fail(missing);
      else t.pass();
      return;
    }
    const network = HostNetwork.make(t, HOSTS);
    const premises = premisesIn(network);
    const scenario = await Scenario.begin(t, { premises, ...options(network) });
    await check(t, { network, scenario, addUser: userMaker(t, network, scenario) });
  });
}

function userMaker(t: ExecutionContext, network: HostNetwork, scenario: Scenario) {
  let users = 0;
  return (url: string, options: Partial<UserOptions> = {}): UserProcess => {
    users += 1;
    const { folder, token } = scenario.cluster.facts;
    return UserProcess.start(t, network.host('client'), {
      url,
      token,
      // A job that is of no consequence: its runs may be lost or not.
      job: 'again',
      everyMs: 50,
      keepsConnections: false,
      history: join(folder, `user-${users}.ndjson`),
      ...options,
    });
  };
}
