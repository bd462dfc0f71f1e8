import { createHash } from 'node:crypto';
import { isIP } from 'node:net';
import type { Listen } from '@understudy/shared/runtime/config/types';
import { bareHost, showAddress } from './address.ts';

export interface KeepalivedOptions {
  readonly pair: string;
  /** Whose file it is: the URL of its heartbeat. */
  readonly own: URL;
  /** Where the heartbeat of that host can be asked on that host. */
  readonly ask: Listen;
  /** The heartbeats of the other hosts. */
  readonly others: readonly URL[];
  /** At least one; all move together. */
  readonly addresses: readonly MovedAddress[];
  readonly routerId: number;
}

export interface MovedAddress {
  /** With the length of its network, like 10.0.0.10/24. */
  readonly vip: string;
  readonly interface: string;
}

/**
 * A whole configuration for keepalived from 2.2 on, for one host. Who is not active is in the state FAULT, so it
 * never has the address, whatever the hosts hear of each other: the lease decides, and VRRP only announces.
 */
export function keepalivedConfig(options: KeepalivedOptions): string {
  const { pair, own, ask, addresses, routerId } = options;
  const all = addresses.map(({ vip }) => vip).join(', ');
  return `# keepalived for the host of the heartbeat ${own.origin}, of the pair ${pair}:
# ${all} is where the active controller is. The files of the hosts differ in nothing but addresses.
# Written by \`understudy install lb keepalived\`. Look at it with \`sudo -u nobody keepalived -t -f FILE\`: as
# root, version 2.2.7 ends its own look with 143 where a script does not run as root.
#
# For those who want keepalived to move the address. Understudy needs no election of its own for that: the
# lease has decided who is active, and this follows it, within two seconds. Let nothing else add the address: where
# a configuration of the pair has \`vip\`, the heartbeats move it themselves, faster, and keepalived must not run.

global_defs {
    enable_script_security
    script_user nobody
    # Who missed that the address moved is told again.
    vrrp_garp_master_repeat 5
    vrrp_garp_master_refresh 60
}

vrrp_script active {
    # 200 while the controller of this host is active and serves. Without a weight: a host that is not
    # active is no candidate at all ("-k": its certificate need not name this way to it). With a weight it would still get the address when it hears of no other.
    script "/usr/bin/curl -fsS${own.protocol === 'https:' ? ' -k' : ''} -o /dev/null -m 1 ${own.protocol}//${showAddress(ask)}/active"
    # In whole seconds, there is nothing shorter.
    interval 1
    timeout 2
    fall 1
    rise 1
    # After a start or a reload: not active until the heartbeat has said so.
    init_fail
}

vrrp_instance understudy {
    interface ${addresses[0]?.interface}
    version 3
    # Another one for each pair in this network; the same on all hosts of one.
    virtual_router_id ${routerId}
    # All hosts begin as equals. The priority decides nothing, and "nopreempt" lets who has the address keep
    # it until its own script fails: while the checks of the hosts disagree, two never have it.
    state BACKUP
    priority 100
    nopreempt
    advert_int 0.2
${unicast(options)}${addressBlocks(addresses)}
    track_script {
        active
    }
}
`;
}

/** Stays the same for a pair, and is likely to be another one for another. */
export function routerIdOf(pair: string): number {
  const [first = 0] = createHash('sha256').update(pair).digest();
  return 1 + (first % 255);
}

/** Adverts go straight to the other hosts where all their addresses are known, and of the kind of the virtual one. */
function unicast({ own, others, addresses }: KeepalivedOptions): string {
  const kind = kindOf(addresses[0]);
  const hosts = [own, ...others].map(bareHost);
  if (hosts.some((host) => isIP(host) !== kind)) {
    return `    # Adverts go to all of the network, for not all heartbeats have an address of the kind of the virtual one.\n`;
  }
  return `    unicast_src_ip ${hosts[0]}
    unicast_peer {
${hosts
  .slice(1)
  .map((host) => `        ${host}`)
  .join('\n')}
    }
`;
}

/** An advert names addresses of one kind only; what is of the other kind moves with them all the same. */
function addressBlocks(addresses: readonly MovedAddress[]): string {
  const [first] = addresses;
  const named = addresses.filter((each) => kindOf(each) === kindOf(first));
  const others = addresses.filter((each) => kindOf(each) !== kindOf(first));
  const line = ({ vip, interface: device }: MovedAddress) =>
    `        ${vip}${device === first?.interface ? '' : ` dev ${device}`}`;
  const block = (name: string, all: readonly MovedAddress[]) =>
    [`    ${name} {`, ...all.map(line), '    }'].join('\n');
  return [
    block('virtual_ipaddress', named),
    ...(others.length === 0 ? [] : [block('virtual_ipaddress_excluded', others)]),
  ].join('\n');
}

function kindOf(address: MovedAddress | undefined): number {
  return isIP(address?.vip.split('/', 1)[0] ?? '');
}
