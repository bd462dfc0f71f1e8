import { readFileSync } from 'node:fs';
import test from 'ava';
import { eventually } from '../support/cluster/eventually.ts';
import type { Host } from '../support/cluster/host.ts';
import type { Cluster } from '../support/cluster.ts';
import { Scenario } from './scenario.ts';

const REFUSED = /certificate-refused.*it has been revoked \(CERT_REVOKED\)/;

test('I5: an agent whose certificate is revoked is shut out until it has another one; the others work on', async (t) => {
  const scenario = await Scenario.begin(t, { tls: true, agent: { retry: { limit: 10_000 } } });
  const { cluster } = scenario;
  const authority = authorityOf(cluster);
  const w1 = authority.agent('w1');
  await authority.revoke([readFileSync(authority.filesOf(w1).cert, 'utf8')]);
  const { log } = cluster.agent('w1').options;
  await eventually(() => (REFUSED.test(readFileSync(log, 'utf8')) ? true : null), {
    what: 'w1 to be refused',
  });
  await stateOf(cluster, 'w1', 'lost');
  await cluster.agentsConnected(['w2']);
  await scenario.submitTwenty();
  await scenario.nothingHappened();
  await authority.write(w1);
  await cluster.agentsConnected(['w1', 'w2']);
  const { stdout } = await cluster.command(['events', '--json']);
  t.true(stdout.includes('certificate-revoked'));
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('I5: a node whose certificate is revoked is shut out by its peer until it has another one, and nobody moves', async (t) => {
  const scenario = await Scenario.begin(t, { tls: true });
  const { cluster, before } = scenario;
  const { active, passive } = before;
  const authority = authorityOf(cluster);
  const stolen = authority.node(passive.node);
  await authority.revoke([readFileSync(authority.filesOf(stolen).cert, 'utf8')]);
  await peerOf(active, /its certificate has been revoked/);
  await peerOf(passive, REFUSED);
  await cluster.agentsConnected(['w1', 'w2']);
  await scenario.submitTwenty();
  await scenario.nothingHappened();
  await authority.write(stolen);
  for (const host of [active, passive]) await peerOf(host, /^null$/);
  t.is((await cluster.command(['switchover'])).code, 0);
  const { after } = await scenario.judge();
  t.is(after.active.node, passive.node);
});

function authorityOf({ facts }: Cluster) {
  if (facts.authority === null) throw new Error('this cluster speaks plain HTTP');
  return facts.authority;
}

/** Waits until a host says that of its peer. */
async function peerOf(host: Host, error: RegExp): Promise<void> {
  await host.until(`to say of its peer ${error}`, ({ peers }) =>
    peers.every((peer) => error.test(`${peer.error}`)),
  );
}

async function stateOf(cluster: Cluster, agent: string, state: string): Promise<void> {
  await eventually(
    async () => {
      const page = (await cluster.client.request('GET', '/api/v1/agents')) as {
        items: { id: string; state: string }[];
      };
      return page.items.some((each) => each.id === agent && each.state === state) ? true : null;
    },
    { what: `${agent} to be ${state}` },
  );
}
