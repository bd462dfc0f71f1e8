import { readProc } from '@understudy/shared/runtime/child';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';

/** States in which something of a connection is under way: not yet said, or said and not yet received (proc(5)). */
const UNDER_WAY: ReadonlySet<string> = new Set([
  ...['01', '03'], // established, and about to be
  ...['04', '08', '09', '0B'], // ours or theirs is still to be acknowledged
]);

/** How many TCP connections to this port of these addresses of this host have something under way. */
export function connectionsUnderWay(addresses: readonly VirtualAddress[], port: number): number {
  const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
  const ours = new Set(addresses.flatMap(forms).map((form) => `${form}:${hexPort}`));
  return ['/proc/self/net/tcp', '/proc/self/net/tcp6']
    .flatMap((path) => (readProc(path) ?? '').split('\n').slice(1))
    .map((row) => row.trim().split(/\s+/, 4))
    .filter(([, local = '', , state = '']) => UNDER_WAY.has(state) && ours.has(local)).length;
}

/** An address as the kernel lists it: words of 32 bits, each with its lowest byte first. */
function forms({ address, family }: VirtualAddress): string[] {
  if (family === 6) return [words(bytesOf6(address))];
  const plain = words(address.split('.').map(Number));
  // A port that is open for both families has those of IPv4 under the other one.
  return [plain, `0000000000000000FFFF0000${plain}`];
}

function words(bytes: readonly number[]): string {
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0').toUpperCase());
  const starts = hex.flatMap((_, index) => (index % 4 === 0 ? [index] : []));
  return starts
    .map((start) =>
      hex
        .slice(start, start + 4)
        .toReversed()
        .join(''),
    )
    .join('');
}

/** Of an address in its shortest form. */
function bytesOf6(address: string): number[] {
  const [head = '', tail = ''] = address.split('::');
  const [before, after] = [head, tail].map((part) => part.split(':').filter(Boolean));
  const given = [...(before ?? []), ...(after ?? [])].length;
  const groups = [...(before ?? []), ...Array<string>(8 - given).fill('0'), ...(after ?? [])];
  return groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}
