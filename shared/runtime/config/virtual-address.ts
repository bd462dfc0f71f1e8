import { BlockList, isIP } from 'node:net';
import { z } from 'zod';
import type { Listen, VirtualAddress } from './types.ts';

const MOST_ADDRESSES = 16;

const addressSchema = z
  .strictObject({
    address: z.string(),
    // As the kernel has it: at most 15 letters.
    interface: z.string().regex(/^(?!\.{1,2}$)[^\s/:]{1,15}$/),
  })
  .transform((given, context): VirtualAddress => {
    const parsed = parseAddress(given.address);
    if (parsed !== null) return { ...parsed, interface: given.interface };
    context.addIssue({ code: 'custom', message: 'not an address' });
    return z.NEVER;
  });

/** One virtual address, or several; the same one twice is a mistake. */
export const virtualAddressesSchema = z
  .union([addressSchema.transform((each) => [each]), z.array(addressSchema).max(MOST_ADDRESSES)])
  .refine((all) => new Set(all.map(({ address }) => address)).size === all.length, 'named twice');

export const VIRTUAL_ADDRESSES =
  'an address with the length of its prefix and an interface, like { address: 10.0.0.10/24, interface: eth0 }, ' +
  `or a list of up to ${MOST_ADDRESSES} different ones`;

/** An address that a host can have for others, in its shortest form; null for anything else. */
function parseAddress(text: string): Omit<VirtualAddress, 'interface'> | null {
  const match = /^([0-9a-fA-F:.]+)\/(\d{1,3})$/.exec(text);
  const [, given = '', length = ''] = match ?? [];
  const [family, prefix] = [isIP(given), Number(length)];
  if (family !== 4 && family !== 6) return null;
  if (prefix < 1 || prefix > (family === 4 ? 32 : 128)) return null;
  if (notOfAHost.check(given, family === 4 ? 'ipv4' : 'ipv6')) return null;
  const address = family === 4 ? given : new URL(`http://[${given}]`).hostname.slice(1, -1);
  const isMapped = address.startsWith('::ffff:');
  return isMapped ? null : { address, prefix, family };
}

/** Of nobody, of this host alone, of one link alone, or of many at once. */
const notOfAHost = new BlockList();
notOfAHost.addSubnet('0.0.0.0', 8, 'ipv4');
notOfAHost.addSubnet('127.0.0.0', 8, 'ipv4');
notOfAHost.addSubnet('224.0.0.0', 3, 'ipv4');
notOfAHost.addSubnet('::', 127, 'ipv6');
notOfAHost.addSubnet('fe80::', 10, 'ipv6');
notOfAHost.addSubnet('ff00::', 8, 'ipv6');

export interface AddressSurroundings {
  /** Where this node and its peers are reached, by key of the configuration. */
  readonly urls: readonly (readonly [key: string, url: string])[];
  /** Of the built-in controller; null when a program of the user's stands in its place. */
  readonly listen: Listen | null;
}

/** The rules between virtual addresses and other values: key and what is wrong with it. */
export function addressConflicts(
  addresses: readonly VirtualAddress[],
  { urls, listen }: AddressSurroundings,
): (readonly [key: string, text: string])[] {
  const led = urls.flatMap(([key, url]) => {
    const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
    if (!addresses.some(({ address }) => address === host)) return [];
    const text = `holds ${url}, which moves from host to host (vip); expected an address of that host alone`;
    return [[key, text] as const];
  });
  const deaf = addresses.find(({ family }) => listen !== null && !hears(listen, family));
  if (deaf === undefined || listen === null) return led;
  const all = deaf.family === 4 ? `0.0.0.0:${listen.port}` : `[::]:${listen.port}`;
  const text = `holds ${listen.host}, where nobody is heard who asks for ${deaf.address} (vip); expected ${all}`;
  return [...led, ['controller.listen', text]];
}

/** A port that is open everywhere is open at an address that comes later, too. */
function hears({ host }: Listen, family: 4 | 6): boolean {
  return host === '::' || (family === 4 && host === '0.0.0.0');
}
