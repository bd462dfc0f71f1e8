import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { findProgram, readProc } from '@understudy/shared/runtime/child';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import {
  type AddressFacts,
  type AddressProblem,
  judgeAddressFacts,
  type Right,
} from './problems.ts';

const ASK_WITHIN_MS = 2_000;

/** What stands in the way of these addresses on this host: programs, rights, interfaces, IPv6. Changes nothing. */
export async function addressProblems(
  addresses: readonly VirtualAddress[],
): Promise<AddressProblem[]> {
  return addresses.length === 0 ? [] : judgeAddressFacts(addresses, await lookAtHost());
}

async function lookAtHost(): Promise<AddressFacts> {
  const names = ['ip', 'arping', 'ndptool'].filter((name) => isAbsolute(findProgram(name)));
  const interfaces = readdirSync('/sys/class/net');
  return {
    programs: new Set(names),
    isArpingOfIputils: names.includes('arping') && (await isOfIputils()),
    rights: rightsOfChildren(readProc('/proc/self/status') ?? ''),
    interfaces: new Set(interfaces),
    withoutIpv6: new Set(interfaces.filter(isWithoutIpv6)),
  };
}

function isOfIputils(): Promise<boolean> {
  return new Promise((resolve) => {
    execFile(findProgram('arping'), ['-V'], { timeout: ASK_WITHIN_MS }, (_error, stdout) =>
      resolve(stdout.includes('iputils')),
    );
  });
}

/** Their places in the masks of capabilities(7). */
const RIGHTS: readonly (readonly [Right, bigint])[] = [
  ['CAP_NET_ADMIN', 12n],
  ['CAP_NET_RAW', 13n],
];

/** What programs that a process starts may do: root's all that is not ruled out, others' what is ambient. */
export function rightsOfChildren(status: string): ReadonlySet<Right> {
  const field = (name: string) => new RegExp(`^${name}:\\s*(\\S+)\\s+(\\S+)?`, 'm').exec(status);
  const isRoot = field('Uid')?.[2] === '0';
  const mask = BigInt(`0x${field(isRoot ? 'CapBnd' : 'CapAmb')?.[1] ?? '0'}`);
  return new Set(RIGHTS.filter(([, place]) => (mask >> place) & 1n).map(([right]) => right));
}

function isWithoutIpv6(device: string): boolean {
  if (!existsSync('/proc/net/if_inet6')) return true;
  return readProc(`/proc/sys/net/ipv6/conf/${device}/disable_ipv6`)?.trim() === '1';
}
