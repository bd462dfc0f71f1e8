import { readFileSync } from 'node:fs';
import test, { type ExecutionContext } from 'ava';
import { DAY_MS, put, TestAuthority } from '../support/certificates.ts';
import { eventually, faultLasts } from '../support/cluster/eventually.ts';
import { signal } from '../support/cluster/proc.ts';
import { fetchFrom, trust } from '../support/cluster/web.ts';
import { type Cluster, termOf } from '../support/cluster.ts';
import { askDuringSwitchOver } from './ask-during-switch-over.ts';
import { Scenario } from './scenario.ts';

test('I5, F1: a pair that speaks TLS replaces a controller that is killed, and its agents follow', async (t) => {
  const scenario = await Scenario.begin(t, { tls: true });
  const { cluster, before, termBefore } = scenario;
  await scenario.statusExits(0);
  await scenario.submitTwenty();
  signal(await before.active.controllerPid(), 'SIGKILL');
  const healed = await cluster.settled({ above: termBefore });
  t.is(termOf(healed.activeStatus), termBefore + 1n, 'one grant, no flapping');
  t.is(await cluster.basisOf(termBefore + 1n), 'released');
  await cluster.agentsConnected(['w1', 'w2']);
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
});

test('I5, F83: no request fails in a switch-over of a pair that speaks TLS', async (t) => {
  const scenario = await Scenario.begin(t, { tls: true });
  const { cluster, before, termBefore } = scenario;
  await scenario.submitTwenty();
  const url = before.active.options.controllerUrl;
  const { code, stdout, statuses } = await askDuringSwitchOver(cluster, url);
  t.is(code, 0, stdout);
  const failed = statuses.filter((status) => status === null || status >= 300);
  t.deepEqual(failed, [], `of ${statuses.length}`);
  t.is(await cluster.basisOf(termBefore + 1n), 'handed-over');
  const { after } = await scenario.judge();
  t.is(after.active.node, before.passive.node);
});

test('I5: certificates and their authority are replaced while a pair works, and nobody moves', async (t) => {
  const scenario = await Scenario.begin(t, { tls: true });
  const { cluster, before } = scenario;
  const { authority, pair } = cluster.facts;
  if (authority === null) throw new Error('this cluster speaks plain HTTP');
  await scenario.submitTwenty();
  const next = await TestAuthority.make(pair);
  t.teardown(() => next.remove());
  trust(next.certificate);
  // Both are accepted before anybody shows what the new one has signed.
  await next.revoke([]);
  const [revoked, nextRevoked] = [authority, next].map(({ crl }) => readFileSync(`${crl}`, 'utf8'));
  put(authority.ca, `${readFileSync(authority.ca, 'utf8')}${next.certificate}`);
  put(`${authority.crl}`, `${revoked}${nextRevoked}`);
  await faultLasts(NOTICED_MS);
  const members = [
    ...cluster.hosts.map(({ node }) => authority.node(node)),
    ...[...cluster.agents.keys()].map((agent) => authority.agent(agent)),
  ];
  for (const member of members) {
    const made = await next.issue(member, { forMs: 10 * DAY_MS });
    const files = authority.filesOf(member);
    put(files.key, made.key);
    put(files.cert, made.certificate);
  }
  await expiringWithin(cluster, 10 * DAY_MS);
  put(`${authority.crl}`, `${nextRevoked}`);
  put(authority.ca, next.certificate);
  await faultLasts(NOTICED_MS);
  await scenario.nothingHappened();
  await warnings(t, cluster);
  // What was connected before lives on; what connects now shows that the new ones are good.
  signal(await before.active.controllerPid(), 'SIGKILL');
  await cluster.settled({ above: scenario.termBefore });
  await cluster.agentsConnected(['w1', 'w2']);
  const { runs } = await scenario.judge();
  t.true(runs.every((run) => run.state === 'succeeded'));
});

/** In this time every process has looked at its files, twice. */
const NOTICED_MS = 6_000;

async function expiringWithin({ hosts }: Cluster, ms: number): Promise<void> {
  for (const host of hosts) {
    await host.until('to have its new certificate', ({ certificate }) => {
      return certificate !== null && certificate.problem === null && certificate.expiresInMs <= ms;
    });
  }
}

/** The command, the events and the metrics tell that the end of a certificate is near. */
async function warnings(t: ExecutionContext, cluster: Cluster): Promise<void> {
  const { stdout } = await cluster.command(['status']);
  for (const { node } of cluster.hosts) {
    t.regex(stdout, new RegExp(`the certificate of ${node} expires in 9 days`));
  }
  for (const kind of ['certificate-replaced', 'certificate-expires']) {
    const found = await eventually(
      async () => {
        const { stdout: events } = await cluster.command(['events', '--json']);
        return events.includes(kind) ? kind : null;
      },
      { what: `an event ${kind}` },
    );
    t.is(found, kind);
  }
  const [host] = cluster.hosts;
  const url = `${host?.options.heartbeatUrl}/metrics`;
  const { text } = await fetchFrom(url, { signal: AbortSignal.timeout(10_000) });
  const seconds = /^understudy_certificate_expires_seconds\{[^}]*\} ([\d.e+]+)$/m.exec(text)?.[1];
  t.true(Number(seconds) > 0 && Number(seconds) < (10 * DAY_MS) / 1_000, seconds);
}
