import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import {
  type Failpoint as ControllerFailpoint,
  controllerFailpoints,
} from '@understudy/controller/failpoints';
import {
  type Failpoint as HeartbeatFailpoint,
  heartbeatFailpoints,
} from '@understudy/heartbeat/failpoints';
import type { StatusView } from '@understudy/heartbeat/http/status';
import { type Postgres, startPostgres } from '@understudy/scripts/postgres/start';
import pg from 'pg';
import { TestAuthority } from './certificates.ts';
import { AgentHost } from './cluster/agent-host.ts';
import { Client } from './cluster/client.ts';
import {
  controllerUrl,
  type HostAddress,
  heartbeatUrl,
  type Overrides,
  type PairFacts,
  writeAgentConfig,
  writeHostConfig,
} from './cluster/configs.ts';
import { endAll, endPostgres, removeCgroups, showLogs } from './cluster/ending.ts';
import { eventually } from './cluster/eventually.ts';
import { Host } from './cluster/host.ts';
import { Links } from './cluster/links.ts';
import type { Owner } from './cluster/owner.ts';
import { takePort } from './cluster/ports.ts';
import { oneMachine, type Premises } from './cluster/premises.ts';
import { type CommandResult, PROGRAM_VARIABLE, runCommand } from './cluster/program.ts';
import { Unruly, unrulyEnvironment } from './cluster/unruly.ts';
import { trust } from './cluster/web.ts';

export interface ClusterOptions {
  /** Node ids of the controller hosts. Started by `start`, the first one first. */
  readonly hosts?: readonly string[];
  readonly agents?: readonly string[];
  /** Set in every host's configuration, on top of the cluster's own. */
  readonly host?: Overrides;
  /** On top of that, by node. */
  readonly each?: Readonly<Record<string, Overrides>>;
  readonly agent?: Overrides;
  /** Everybody reaches everybody else over links that a test can spoil: see `Cluster.links`. */
  readonly linked?: boolean;
  /** Settings of PostgreSQL, on top of the cluster's own. */
  readonly postgres?: Readonly<Record<string, string>>;
  /** Told the folder of the cluster before anything is in it, to mount disks there. */
  readonly prepare?: (folder: string) => void;
  /** Hosts and agents speak TLS, each with a certificate of its own: see `PairFacts.authority`. */
  readonly tls?: boolean;
  /** Where hosts and agents are; default: all on this machine. */
  readonly premises?: Premises;
  /** Clocks of hosts and agents can be set, and controllers made to misbehave: see `Cluster.unruly`. */
  readonly unruly?: boolean;
  /** What `understudy` is, in place of that of the checkout: the main file of an installation. */
  readonly program?: string;
}

/** One active, serving, and a passive that could take over, as each of them says of itself. */
export interface Settled {
  readonly active: Host;
  readonly activeStatus: StatusView;
  readonly passive: Host;
  readonly passiveStatus: StatusView;
}

/** A place in a heartbeat or a controller at which a test can make it die. */
export type Failpoint = HeartbeatFailpoint | ControllerFailpoint;

const failpoints: readonly Failpoint[] = [...heartbeatFailpoints, ...controllerFailpoints];

const TOKEN = 'a-token-of-the-tests-0123456789';

/**
 * A real system of real processes for one test: PostgreSQL, controller hosts, agents, each on free
 * ports of 127.0.0.1, or wherever its premises are, and in one temporary folder. Everything is ended and removed when the test is over,
 * however it ends; when it failed, the logs are shown.
 */
export async function makeCluster(t: Owner, options: ClusterOptions = {}): Promise<Cluster> {
  const { hosts = ['a', 'b'], agents = ['w1', 'w2'], premises = oneMachine } = options;
  const folder = mkdtempSync(join(tmpdir(), 'understudy-'));
  const pair = `pair-${basename(folder).slice(-6)}`;
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  options.prepare?.(folder);
  const postgres = await startPostgres({
    dataDir: join(folder, 'postgres'),
    port: await takePort(),
    settings: { fsync: 'off', ...premises.postgres(folder), ...options.postgres },
  });
  t.teardown(() => endPostgres(postgres));
  t.teardown(() => removeCgroups(folder));
  t.teardown(() => endAll(pair));

  const scheme = options.tls === true ? 'https' : 'http';
  const places = await premises.addresses(hosts);
  const addresses = places.map((place): HostAddress => ({ ...place, scheme }));
  const to = { hosts: addresses, agents, databasePort: postgres.port };
  const links = options.linked ? await Links.start(to) : null;
  t.teardown(() => links?.close());
  const authority = options.tls === true ? await TestAuthority.make(pair, folder) : null;
  await authority?.revoke([]);
  for (const node of hosts) await authority?.write(authority.node(node));
  for (const agent of agents) await authority?.write(authority.agent(agent));
  if (authority !== null) trust(authority.certificate);
  const database = premises.databaseUrl(postgres.url);
  const facts = {
    ...{ folder, pair, token: TOKEN, database, hosts: addresses, links, authority },
  };
  const cluster = new Cluster(facts, postgres, options);
  t.teardown(() => cluster.client.close());
  t.teardown(() => cluster.showLogs(t));
  for (const agent of agents) cluster.addAgent(agent);
  const { code, stderr } = await cluster.command(['create'], hosts[0]);
  if (code !== 0) throw new Error(`understudy create: exit ${code}\n${stderr}`);
  const keystore = join(folder, 'keystore');
  if (existsSync(keystore)) premises.own(keystore);
  return cluster;
}

export class Cluster {
  readonly facts: PairFacts;
  readonly postgres: Postgres;
  readonly client: Client;
  readonly hosts: readonly Host[];
  readonly agents = new Map<string, AgentHost>();
  readonly #options: ClusterOptions;

  constructor(facts: PairFacts, postgres: Postgres, options: ClusterOptions) {
    this.facts = facts;
    this.postgres = postgres;
    this.#options = options;
    this.hosts = facts.hosts.map((address) => this.#makeHost(address));
    this.client = this.makeClient('client');
  }

  /** A user of this pair, with a history of its own. */
  makeClient(name: string, token = this.facts.token): Client {
    const urls = this.facts.hosts.map(controllerUrl);
    return new Client({ urls, token, history: join(this.facts.folder, `${name}.ndjson`) });
  }

  /** What everybody reaches everybody else over, when the cluster was made with `linked`. */
  get links(): Links {
    if (this.facts.links === null) throw new Error('this cluster has no links');
    return this.facts.links;
  }

  host(node: string): Host {
    const host = this.hosts.find((each) => each.node === node);
    if (host === undefined) throw new Error(`there is no host ${node}`);
    return host;
  }

  agent(name: string): AgentHost {
    const agent = this.agents.get(name);
    if (agent === undefined) throw new Error(`there is no agent ${name}`);
    return agent;
  }

  /** Writes the configuration of an agent; `start` of what it returns runs it. */
  addAgent(name: string, overrides: Overrides = {}): AgentHost {
    const config = writeAgentConfig(this.facts, name, { ...this.#options.agent, ...overrides });
    const environment = this.environmentOf(name);
    const agent = new AgentHost({
      agent: name,
      config,
      log: this.#log(name),
      environment,
      prefix: this.#premises.prefixOf(name),
    });
    this.agents.set(name, agent);
    return agent;
  }

  /** Mends the network. */
  heal(): void {
    for (const link of this.facts.links?.all ?? []) link.heal();
  }

  /** Shows the end of every log, when what the owner tests has failed. */
  showLogs(owner: Owner): void {
    const names = [...this.hosts.map(({ node }) => node), ...this.agents.keys()];
    showLogs(owner, this.facts.folder, ['postgres/postgres', ...names]);
  }

  /** Starts every host and agent, and waits until one is active and another ready to take over. */
  async start(): Promise<Settled> {
    for (const host of this.hosts) {
      host.start();
      // The one started first becomes active.
      if (host === this.hosts[0]) await host.until('to be active', isServing);
    }
    for (const agent of this.agents.values()) agent.start();
    const settled = await this.settled();
    await this.agentsConnected([...this.agents.keys()]);
    return settled;
  }

  /** Waits until one host is active and serves, every other is passive, and one of them is ready. */
  settled(
    conditions: { readonly active?: string; readonly above?: bigint } = {},
  ): Promise<Settled> {
    return eventually(
      async () => {
        const found = await this.statuses();
        const actives = found.filter(([, status]) => status.role === 'active');
        const [first] = actives;
        const ready = found.find(([, status]) => status.ready);
        if (first === undefined || actives.length > 1 || ready === undefined) return null;
        const [active, activeStatus] = first;
        if (!isServing(activeStatus)) return null;
        if (conditions.active !== undefined && active.node !== conditions.active) return null;
        if (termOf(activeStatus) <= (conditions.above ?? -1n)) return null;
        const [passive, passiveStatus] = ready;
        return { active, activeStatus, passive, passiveStatus };
      },
      { what: `one active and a ready passive ${JSON.stringify(conditions, plain)}` },
    );
  }

  /** Waits until exactly this host is active and serves, whatever the others do. */
  async activeOn(node: string): Promise<StatusView> {
    return await this.host(node).until('to be active', isServing);
  }

  /** What every host that answers says of itself. */
  async statuses(): Promise<[Host, StatusView][]> {
    const found = await Promise.all(
      this.hosts.map(async (host) => [host, await host.status()] as const),
    );
    return found.flatMap(([host, status]) => (status === null ? [] : [[host, status]]));
  }

  /** Waits until the active lists these agents as connected. */
  async agentsConnected(names: readonly string[]): Promise<void> {
    await eventually(
      async () => {
        const page = (await this.client.request('GET', '/api/v1/agents')) as {
          items: { id: string; state: string }[];
        };
        const connected = page.items.filter(({ state }) => state === 'connected');
        return names.every((name) => connected.some(({ id }) => id === name)) ? true : null;
      },
      { what: `agents ${names.join(', ')} to be connected` },
    );
  }

  /** Why this term was granted, as the store has it on record. */
  async basisOf(term: bigint): Promise<string | null> {
    const text = 'select basis from understudy.tenure_history where term = $1';
    const [found] = await this.query<{ basis: string }>(text, [term]);
    return found?.basis ?? null;
  }

  /** Asks the database itself, past all links. */
  async query<Row extends pg.QueryResultRow>(
    text: string,
    values: readonly unknown[] = [],
  ): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.postgres.url });
    client.on('error', () => undefined);
    await client.connect();
    try {
      return (await client.query<Row>(text, [...values])).rows;
    } finally {
      await client.end();
    }
  }

  /** Runs a command of `understudy` with a host's configuration. */
  command(args: readonly string[], node = this.hosts[0]?.node ?? ''): Promise<CommandResult> {
    return runCommand([...args, '--config', this.host(node).options.config], this.environment);
  }

  /** Of every process that this cluster starts; the pair's name in it is what `endAll` looks for. */
  get environment(): NodeJS.ProcessEnv {
    const { HOME } = process.env;
    // What a test puts there stands in front of a program of the same name.
    const PATH = `${join(this.facts.folder, 'programs')}:${process.env['PATH']}`;
    const places = failpoints.map((name) => `${name}=${this.#failpointFile(name)}`);
    const armed = [...places, 'block-loop-on:SIGUSR2', 'stop-scheduler-on:SIGUSR1'].join();
    const { program } = this.#options;
    const other = program === undefined ? {} : { [PROGRAM_VARIABLE]: program };
    return { PATH, HOME, TEST_OF: this.facts.pair, UNDERSTUDY_FAILPOINTS: armed, ...other };
  }

  /** Of the processes of one host or agent. */
  environmentOf(name: string): NodeJS.ProcessEnv {
    const own = { ...this.environment, TEST_HOST: name };
    return this.#options.unruly === true
      ? { ...own, ...unrulyEnvironment(this.facts.folder, name) }
      : own;
  }

  /** The clocks and the manners of one host or agent, in a cluster that was made `unruly`. */
  unruly(name: string): Unruly {
    return new Unruly(this.facts.folder, name);
  }

  get #premises(): Premises {
    return this.#options.premises ?? oneMachine;
  }

  /** The next process that comes by this place dies there; just one does. */
  armFailpoint(name: Failpoint): void {
    writeFileSync(this.#failpointFile(name), '');
  }

  /** Whether one has died at this place since it was armed. */
  failpointHit(name: Failpoint): boolean {
    return !existsSync(this.#failpointFile(name));
  }

  /** A second heartbeat with the id of a host that exists, as a mistake of an operator would start it. */
  makeTwin(node: string, ports: readonly [number, number]): Host {
    const [heartbeatPort, controllerPort] = ports;
    const own = this.facts.hosts.find((each) => each.node === node);
    if (own === undefined) throw new Error(`there is no host ${node}`);
    return this.#makeHost({ ...own, heartbeatPort, controllerPort }, `${node}-twin`);
  }

  #makeHost(address: HostAddress, name = address.node): Host {
    const facts = { ...this.facts, hosts: this.facts.hosts.filter((h) => h.node !== address.node) };
    const folder = name === address.node ? facts.folder : mkdtempSync(join(facts.folder, name));
    const overrides = { ...this.#options.host, ...this.#options.each?.[address.node] };
    const config = writeHostConfig({ ...facts, folder }, address, overrides);
    this.#premises.own(config);
    return new Host({
      node: address.node,
      scheme: address.scheme,
      heartbeatUrl: heartbeatUrl(address),
      controllerUrl: controllerUrl(address),
      config,
      log: this.#log(name),
      environment: this.environmentOf(name),
      prefix: this.#premises.prefixOf(address.node),
    });
  }

  #failpointFile(name: string): string {
    return join(this.facts.folder, `fail-${name}`);
  }

  #log(name: string): string {
    return join(this.facts.folder, `${name}.log`);
  }
}

/** Whether a host is active and its controller serves. */
export function isServing(status: StatusView): boolean {
  return status.role === 'active' && status.phase === 'serving' && status.active !== null;
}

export function termOf(status: StatusView): bigint {
  return BigInt(status.term ?? '0');
}

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? value.toString() : value;
}
