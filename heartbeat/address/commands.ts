import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import { showAddress } from './found.ts';

/**
 * Adds an address, or gives one that is there more time: what `ip` is told. One of IPv6 is there at once, without a
 * search for others who have it, and nobody of this host uses it for what he asks others.
 */
export function putCommand(address: VirtualAddress, lifeS: number): string {
  const where = `addr replace ${showAddress(address)} dev ${address.interface}`;
  return address.family === 6
    ? `${where} nodad valid_lft ${lifeS} preferred_lft 0`
    : `${where} valid_lft ${lifeS} preferred_lft ${lifeS}`;
}

/** Removes it from whichever interface has it; that it is not there is no error. */
export function removeCommand({ address, family }: VirtualAddress): string {
  return `addr flush to ${address}/${family === 4 ? 32 : 128}`;
}

/**
 * Tells the neighbours who has the address now: by ARP, asking and answering by turns, for some heed only one of them
 * (arping of iputils), or by an unsolicited advertisement (ndptool of libndp).
 */
export function announceCommand(address: VirtualAddress, turn: number): readonly string[] {
  const { family, interface: device } = address;
  if (family === 6)
    return ['ndptool', '-t', 'na', '-U', '-i', device, '-T', address.address, 'send'];
  const mode = turn % 2 === 0 ? '-U' : '-A';
  return ['arping', '-q', mode, '-c', '1', '-w', '1', '-I', device, address.address];
}
