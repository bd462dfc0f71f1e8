import type { NetworkHost } from './network-host.ts';

/** Whom packets go to and come from: a host, or one of its ports. */
export interface OtherEnd {
  readonly ip: string;
  readonly port?: number;
}

/** A way of packets: from the host with the filter, or to it. */
export type PacketWay = 'out' | 'in';

const BOTH: readonly PacketWay[] = ['out', 'in'];
const TABLE = 'inet faults';

/** The packet filter of one host (nftables), by which its network gets faults. Its loopback is never touched. */
export class PacketFilter {
  readonly #host: NetworkHost;

  constructor(host: NetworkHost) {
    this.#host = host;
    const hooks = { out: 'output', in: 'input' };
    this.#apply([
      `add table ${TABLE}`,
      ...BOTH.map(
        (way) => `add chain ${TABLE} ${way} { type filter hook ${hooks[way]} priority 0; }`,
      ),
    ]);
  }

  /** Nothing gets to the other end or from there, and nobody is told: DROP. */
  cut(other: OtherEnd, ways: readonly PacketWay[] = BOTH): void {
    this.#apply(ways.map((way) => `add rule ${TABLE} ${way} ${matching(other, way)} drop`));
  }

  /** Of so many packets, to the other end and from there, one is lost at random. */
  lose(other: OtherEnd, oneOf: number): void {
    const rule = (way: PacketWay) =>
      `add rule ${TABLE} ${way} ${matching(other, way)} numgen random mod ${oneOf} 0 drop`;
    this.#apply(BOTH.map(rule));
  }

  /** Connections with the other end are reset, new ones as well: REJECT with RST. */
  refuse(other: OtherEnd): void {
    const rule = (way: PacketWay) =>
      `add rule ${TABLE} ${way} ${matching(other, way)} reject with tcp reset`;
    this.#apply(BOTH.map(rule));
  }

  /** Nothing gets through at all, but for what this observer asks at these ports. */
  isolate(observer: string, ports: readonly number[]): void {
    const list = `{ ${ports.join(', ')} }`;
    this.#apply([
      `add rule ${TABLE} out ip daddr ${observer} tcp sport ${list} accept`,
      `add rule ${TABLE} in ip saddr ${observer} tcp dport ${list} accept`,
      `add rule ${TABLE} out oifname eth0 drop`,
      `add rule ${TABLE} in iifname eth0 drop`,
    ]);
  }

  /**
   * The connections that this host has with a server at this moment are forgotten on their way, as by a firewall whose
   * table was flushed, or a NAT that was idle for too long: nothing of them gets through. New ones do.
   * Gives how many they are.
   */
  forget(server: Required<OtherEnd>): number {
    const filter = `dst ${server.ip} and dport = :${server.port}`;
    const lines = this.#host.run('ss', '-Htn', 'state', 'connected', filter).trim().split('\n');
    const own = lines.flatMap((line) => /:(\d+)\s+\S+:\d+\s*$/.exec(line)?.[1] ?? []);
    const list = `{ ${own.join(', ')} }`;
    if (own.length > 0) {
      this.#apply([
        `add rule ${TABLE} out ${matching(server, 'out')} tcp sport ${list} drop`,
        `add rule ${TABLE} in ${matching(server, 'in')} tcp dport ${list} drop`,
      ]);
    }
    return own.length;
  }

  heal(): void {
    this.#apply([`flush table ${TABLE}`]);
  }

  #apply(commands: readonly string[]): void {
    this.#host.run('nft', commands.join('; '));
  }
}

function matching({ ip, port }: OtherEnd, way: PacketWay): string {
  const [address, ofPort] = way === 'out' ? ['daddr', 'dport'] : ['saddr', 'sport'];
  return `ip ${address} ${ip}${port === undefined ? '' : ` tcp ${ofPort} ${port}`}`;
}
