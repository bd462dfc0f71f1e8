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

/**
 * Closes the door of an address that stays: who is connected is answered on, and nobody else is let in. In the table of
 * this host's own addresses it stands as one that is not for connections: of IPv4 as a broadcast, of IPv6 as an
 * anycast address. For such a one the kernel drops every SYN and says nothing, so that its sender tries again a second
 * later, and of IPv4 it answers no ARP request; what belongs to a connection passes. `src` must be the address itself: while
 * the door is closed, a user on this very host can't reach it. The route of IPv6 is forgotten by itself; that of IPv4
 * is removed with the address, by a heartbeat that starts as well.
 */
export function closeCommands({ address, family, interface: device }: VirtualAddress): string[] {
  if (family === 4) {
    return [
      `route replace broadcast ${address} dev ${device} table local scope link src ${address}`,
    ];
  }
  return [
    `route replace anycast ${address} dev ${device} table local metric 1 expires ${CLOSED_FOR_S}`,
    `route del local ${address} table local proto kernel`,
  ];
}

/** Longer than a door is closed. */
const CLOSED_FOR_S = 5;

/** Removes it from whichever interface has it, with a closed door; that it is not there is no error. */
export function removeCommands({ address, family }: VirtualAddress): string[] {
  return family === 4
    ? [`addr flush to ${address}/32`, `route del broadcast ${address} table local`]
    : [`addr flush to ${address}/128`, `route del anycast ${address} table local metric 1`];
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
