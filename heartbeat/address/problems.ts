import type { VirtualAddress } from '@understudy/shared/runtime/config/types';

/** What stands in the way of the virtual addresses on this host. */
export interface AddressProblem {
  /** An interface may come later; the others stay until somebody mends them. */
  readonly what: 'program' | 'right' | 'interface' | 'family';
  readonly problem: string;
  readonly advice: string;
}

/** What was seen of this host. */
export interface AddressFacts {
  /** Which of the programs that may be needed are there. */
  readonly programs: ReadonlySet<string>;
  /** Whether `arping` is the one of iputils; another has other options. */
  readonly isArpingOfIputils: boolean;
  /** What a program that we start may do. */
  readonly rights: ReadonlySet<Right>;
  readonly interfaces: ReadonlySet<string>;
  /** Interfaces on which IPv6 is switched off, or of a kernel without it. */
  readonly withoutIpv6: ReadonlySet<string>;
}

export type Right = 'CAP_NET_ADMIN' | 'CAP_NET_RAW';

/** Judges what was seen of this host: empty when the addresses can be added, removed and announced here. */
export function judgeAddressFacts(
  addresses: readonly VirtualAddress[],
  facts: AddressFacts,
): AddressProblem[] {
  if (addresses.length === 0) return [];
  const has = (family: 4 | 6) => addresses.some((each) => each.family === family);
  const needed = ['ip', ...(has(4) ? ['arping'] : []), ...(has(6) ? ['ndptool'] : [])];
  return [
    ...needed.flatMap((name) => programProblem(name, facts)),
    ...(['CAP_NET_ADMIN', 'CAP_NET_RAW'] as const).flatMap((right) => rightProblem(right, facts)),
    ...addresses.flatMap((address) => interfaceProblem(address, facts)),
  ];
}

const programs: Readonly<Record<string, { readonly does: string; readonly from: string }>> = {
  ip: { does: 'adds and removes addresses', from: 'iproute2' },
  arping: { does: 'announces addresses of IPv4', from: 'iputils-arping' },
  ndptool: { does: 'announces addresses of IPv6', from: 'libndp-tools' },
};

function programProblem(name: string, facts: AddressFacts): AddressProblem[] {
  const { does = '', from = '' } = programs[name] ?? {};
  const advice = `install it (Debian: ${from})`;
  if (!facts.programs.has(name)) {
    return [{ what: 'program', problem: `${name}, which ${does}, is not installed`, advice }];
  }
  if (name !== 'arping' || facts.isArpingOfIputils) return [];
  const problem = 'arping is not the one of iputils, whose options are used';
  return [{ what: 'program', problem, advice }];
}

function rightProblem(right: Right, facts: AddressFacts): AddressProblem[] {
  if (facts.rights.has(right)) return [];
  const does = right === 'CAP_NET_ADMIN' ? 'add and remove' : 'announce';
  return [
    {
      what: 'right',
      problem: `${right} is missing: this process may not ${does} addresses`,
      advice: `start it as root, or with AmbientCapabilities=CAP_NET_ADMIN CAP_NET_RAW in its unit`,
    },
  ];
}

function interfaceProblem(address: VirtualAddress, facts: AddressFacts): AddressProblem[] {
  const { interface: device, family } = address;
  if (!facts.interfaces.has(device)) {
    const known = [...facts.interfaces].toSorted().join(', ') || 'none';
    const problem = `the interface ${device} of ${address.address} is not there`;
    return [{ what: 'interface', problem, advice: `set vip to one of this host: ${known}` }];
  }
  if (family !== 6 || !facts.withoutIpv6.has(device)) return [];
  return [
    {
      what: 'family',
      problem: `IPv6, which ${address.address} needs, is switched off on ${device}`,
      advice: `set the sysctl net.ipv6.conf.${device}.disable_ipv6 to 0`,
    },
  ];
}
