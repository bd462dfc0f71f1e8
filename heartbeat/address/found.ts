import { networkInterfaces } from 'node:os';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import type { Found } from './plan/state.ts';

/**
 * Which of these addresses this host has, on whichever interface. Starts no process. The addresses of an interface
 * that is down are not shown: one that belongs there and is seen nowhere is neither present nor missing.
 */
export function findAddresses(addresses: readonly VirtualAddress[]): Found {
  const interfaces = networkInterfaces();
  const all = Object.values(interfaces).flatMap((each) => each ?? []);
  const has = ({ address }: VirtualAddress) => all.some((each) => each.address === address);
  const isUp = (each: VirtualAddress) => interfaces[each.interface] !== undefined;
  return {
    present: addresses.filter(has).map(showAddress),
    missing: addresses.filter((each) => !has(each) && isUp(each)).map(showAddress),
  };
}

/** As the configuration has it. */
export function showAddress({ address, prefix }: VirtualAddress): string {
  return `${address}/${prefix}`;
}
