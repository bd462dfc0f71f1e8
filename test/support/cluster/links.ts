import { TcpProxy } from '@understudy/scripts/bench/proxy/proxy';
import type { HostAddress } from './configs.ts';

export interface LinkEnds {
  readonly hosts: readonly HostAddress[];
  readonly agents: readonly string[];
  readonly databasePort: number;
}

/** The network of a test: a link of its own for each two that speak with each other. */
export class Links {
  /** From each host to the database, for all that runs there. */
  readonly #databases: ReadonlyMap<string, TcpProxy>;
  /** `from>to`: from a heartbeat to its peer, or from an agent to a controller. */
  readonly #others: ReadonlyMap<string, TcpProxy>;
  readonly #hosts: readonly HostAddress[];

  private constructor(
    hosts: readonly HostAddress[],
    databases: ReadonlyMap<string, TcpProxy>,
    others: ReadonlyMap<string, TcpProxy>,
  ) {
    this.#hosts = hosts;
    this.#databases = databases;
    this.#others = others;
  }

  static async start({ hosts, agents, databasePort }: LinkEnds): Promise<Links> {
    const databases = new Map<string, TcpProxy>();
    const others = new Map<string, TcpProxy>();
    for (const host of hosts) {
      databases.set(host.node, await startLink(databasePort));
      for (const { node } of hosts.filter((other) => other !== host)) {
        others.set(`${node}>${host.node}`, await startLink(host.heartbeatPort));
      }
      for (const agent of agents) {
        others.set(`${agent}>${host.node}`, await startLink(host.controllerPort));
      }
    }
    return new Links(hosts, databases, others);
  }

  /** Over which a host reaches the database. */
  database(node: string): TcpProxy {
    return found(this.#databases.get(node), `${node} to the database`);
  }

  /** Over which a heartbeat reaches its peer, or an agent a controller. */
  link(from: string, to: string): TcpProxy {
    return found(this.#others.get(`${from}>${to}`), `${from} to ${to}`);
  }

  /** All links between heartbeats. */
  get peers(): TcpProxy[] {
    const nodes = this.#hosts.map(({ node }) => node);
    return nodes.flatMap((from) =>
      nodes.filter((to) => to !== from).map((to) => this.link(from, to)),
    );
  }

  /** All links that begin or end at a host or an agent. */
  of(name: string): TcpProxy[] {
    const database = this.#databases.get(name);
    const others = [...this.#others].filter(([key]) => key.split('>').includes(name));
    return [...(database === undefined ? [] : [database]), ...others.map(([, link]) => link)];
  }

  get all(): TcpProxy[] {
    return [...this.#databases.values(), ...this.#others.values()];
  }

  databaseUrl(node: string, database: string): string {
    const url = new URL(database);
    url.port = `${this.database(node).port}`;
    return url.href;
  }

  peerUrl(from: string, to: string): string {
    return `${this.#scheme}://127.0.0.1:${this.link(from, to).port}`;
  }

  /** Null for an agent that was added later: it reaches the controllers directly. */
  controllerUrl(agent: string, node: string): string | null {
    const link = this.#others.get(`${agent}>${node}`);
    return link === undefined ? null : `${this.#scheme}://127.0.0.1:${link.port}`;
  }

  get #scheme(): string {
    return this.#hosts[0]?.scheme ?? 'http';
  }

  async close(): Promise<void> {
    await Promise.all(this.all.map((link) => link.close()));
  }
}

/** The kernel chooses the port, and it is listened on from then on: nobody else can take it. */
function startLink(to: number): Promise<TcpProxy> {
  return TcpProxy.start(0, to);
}

function found(link: TcpProxy | undefined, what: string): TcpProxy {
  if (link === undefined) throw new Error(`there is no link from ${what}`);
  return link;
}
