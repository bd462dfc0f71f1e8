import { HostNetwork } from '@understudy/scripts/hosts/network';

/** A run of tests that makes hosts and is killed before it has removed them. Says where its network is, and waits. */
const network = HostNetwork.make({ teardown: () => undefined }, ['a', 'b']);
process.stdout.write(`${network.own}\n`);
setInterval(() => undefined, 60_000);
