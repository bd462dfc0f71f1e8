import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import type { Run } from '@understudy/shared/protocol/api';
import test, { type ExecutionContext } from 'ava';
import { TestAuthority } from '../support/certificates.ts';
import type { AgentHost } from '../support/cluster/agent-host.ts';
import { Client } from '../support/cluster/client.ts';
import { eventually } from '../support/cluster/eventually.ts';
import { Host } from '../support/cluster/host.ts';
import { fetchFrom, trust } from '../support/cluster/web.ts';
import { type Cluster, makeCluster } from '../support/cluster.ts';
import { isTerminal } from '../support/invariants/store.ts';
import { doubleStarts } from '../support/invariants/work.ts';
import { putTestJobs, startLines } from './jobs.ts';

const SUBMIT_EVERY_MS = 150;

test('I5: a pair that works changes from plain HTTP to TLS host by host, and back; no run is lost and nobody is without peers or agents', async (t) => {
  const cluster = await makeCluster(t, { hosts: ['a', 'b'], agents: ['w1', 'w2'] });
  await cluster.start();
  await putTestJobs(cluster);
  const { folder, pair } = cluster.facts;
  const authority = await TestAuthority.make(pair, folder);
  for (const { node } of cluster.hosts) await authority.write(authority.node(node));
  for (const agent of cluster.agents.keys()) await authority.write(authority.agent(agent));
  trust(authority.certificate);
  const plainUsers = submitting(cluster, 'http');

  const both = (host: Host) => ({ tls: { ...filesOf(authority, host), plain: 'accept' } });
  await eachHost(t, cluster, (host, config) => ({ ...config, ...both(host) }));
  const { stdout } = await cluster.command(['status']);
  for (const { node } of cluster.hosts) {
    t.regex(stdout, new RegExp(`${node} accepts plain HTTP beside TLS`));
  }
  await eachAgent(t, cluster, (agent, config) => ({
    ...secure(config),
    tls: authority.filesOf(authority.agent(agent)),
  }));
  await eachHost(t, cluster, (_, config) => secure(config));
  const secureUsers = submitting(cluster, 'https');
  await plainUsers.stop(t);
  await eachHost(t, cluster, (host, config) => ({ ...config, tls: filesOf(authority, host) }));
  for (const { options } of cluster.hosts) {
    const answer = await fetchFrom(`${options.heartbeatUrl}/live`, { signal: within() });
    t.is(answer.status, 400);
    t.regex(answer.text, /tls-needed/);
  }

  await eachHost(t, cluster, (host, config) => ({ ...config, ...both(host) }));
  const plainAgain = submitting(cluster, 'http');
  await eachHost(t, cluster, (_, config) => plain(config));
  await secureUsers.stop(t);
  await eachAgent(t, cluster, (_, { tls: _tls, ...config }) => plain(config));
  await eachHost(t, cluster, (_, { tls: _tls, ...config }) => config);
  await plainAgain.stop(t);
  t.deepEqual(
    doubleStarts(startLines(cluster), () => true),
    [],
  );
});

type Config = Readonly<Record<string, unknown>>;

const filesOf = (authority: TestAuthority, { node }: Host) =>
  authority.filesOf(authority.node(node));
const within = () => AbortSignal.timeout(10_000);

/** All its URLs, with another scheme. */
const secure = (config: Config): Config => rewritten(config, /"http:/g, '"https:');
const plain = (config: Config): Config => rewritten(config, /"https:/g, '"http:');

function rewritten(config: Config, pattern: RegExp, to: string): Config {
  return JSON.parse(JSON.stringify(config).replace(pattern, to)) as Config;
}

function change(path: string, to: (config: Config) => Config): void {
  writeFileSync(path, JSON.stringify(to(JSON.parse(readFileSync(path, 'utf8')) as Config)));
}

/** As an operator does it: the passive first, and the active by a stop, which hands its role over. */
async function eachHost(
  t: ExecutionContext,
  cluster: Cluster,
  to: (host: Host, config: Config) => Config,
): Promise<void> {
  const statuses = await Promise.all(
    cluster.hosts.map(
      async (host) => [host, await seen(host).until('to answer', () => true)] as const,
    ),
  );
  const byRole = statuses.toSorted(([, a], [, b]) => b.role.localeCompare(a.role));
  for (const [host] of byRole) {
    t.is(await host.stop(), 0);
    change(host.options.config, (config) => to(host, config));
    host.start();
    await seen(host).until('to be ready', ({ ready }) => ready);
    for (const each of cluster.hosts) {
      await seen(each).until('to hear its peer', ({ peers }) =>
        peers.every(({ error }) => error === null),
      );
    }
    await connected(cluster, [...cluster.agents.keys()]);
  }
}

/** What runs there ends first. */
async function eachAgent(
  t: ExecutionContext,
  cluster: Cluster,
  to: (agent: string, config: Config) => Config,
): Promise<void> {
  for (const [name, agent] of cluster.agents) {
    t.is((await cluster.command(['agent', 'drain', name])).code, 0);
    await eventually(async () => ((await viewOf(cluster, name))?.running === 0 ? true : null), {
      what: `${name} to run nothing`,
    });
    t.is(await stop(agent), 0);
    change(agent.options.config, (config) => to(name, config));
    agent.start();
    await connected(cluster, [name]);
    t.is((await cluster.command(['agent', 'resume', name])).code, 0);
  }
}

async function stop({ program }: AgentHost): Promise<number | NodeJS.Signals> {
  program.signal('SIGTERM');
  return await program.ended;
}

/** The host as it is reached by its configuration now. */
function seen(host: Host): Host {
  const { heartbeat } = JSON.parse(readFileSync(host.options.config, 'utf8')) as {
    heartbeat: { url: string };
  };
  return new Host({ ...host.options, heartbeatUrl: heartbeat.url });
}

interface AgentSeen {
  readonly id: string;
  readonly state: string;
  readonly running: number;
}

async function viewOf(cluster: Cluster, name: string): Promise<AgentSeen | undefined> {
  const { stdout } = await cluster.command(['agent', 'list', '--json']);
  return (JSON.parse(stdout) as AgentSeen[]).find(({ id }) => id === name);
}

async function connected(cluster: Cluster, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await eventually(
      async () => ((await viewOf(cluster, name))?.state === 'connected' ? true : null),
      { what: `${name} to be connected` },
    );
  }
}

/** Users of both deliveries, all the time, over one scheme; at the end all that was acknowledged has succeeded. */
function submitting(cluster: Cluster, scheme: 'http' | 'https') {
  const { folder, token } = cluster.facts;
  const urls = cluster.hosts.map(({ options }) => options.controllerUrl.replace(/^https?/, scheme));
  const name = `users-${scheme}-${performance.now()}`;
  const client = new Client({ urls, token, history: `${folder}/${name}.ndjson` });
  let isOver = false;
  const load = (async () => {
    const runs: Run[] = [];
    for (let n = 0; !isOver; n += 1) {
      const job = n % 2 === 0 ? 'once' : 'again';
      runs.push(await client.submit(job, `${name}-${n}`, { LASTS: '0.3' }));
      await pause(SUBMIT_EVERY_MS);
    }
    return runs;
  })();
  return {
    stop: async (t: ExecutionContext) => {
      isOver = true;
      const runs = await load;
      t.true(runs.length > 10, `${runs.length} runs over ${scheme}`);
      for (const { id } of runs) {
        const { state } = await eventually(
          async () => {
            const run = await client.run(id);
            return isTerminal(run.state) ? run : null;
          },
          { what: `run ${id} to end` },
        );
        t.is(state, 'succeeded', id);
      }
      client.close();
    },
  };
}
