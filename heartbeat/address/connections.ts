import { readProc } from '@understudy/shared/runtime/child';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';

/**
 * What the kernel lists of a connection on which something is under way (proc(5)): it is established, about to be, or ours
 * to close; or a goodbye is still to be acknowledged, and was not repeated in vain twice: then nobody is there any more.
 */
const UNDER_WAY = '(?:(?:01|03|08) |(?:04|09|0B) \\S+ \\S+ 0000000[01] )';

/** Counts connections to a port of addresses of this host. Of those that are over the kernel may list ten thousands. */
export class Connections {
  readonly #rows: RegExp;

  constructor(addresses: readonly VirtualAddress[], port: number) {
    const hexPort = port.toString(16).toUpperCase().padStart(4, '0');
    const ours = addresses.flatMap(forms).join('|');
    // Its number, the local address, the other one, the state.
    this.#rows = new RegExp(`\\d: (?:${ours}):${hexPort} \\S+ ${UNDER_WAY}`, 'g');
  }

  /** How many have something under way now. While others come and go the kernel may leave one out, or list it twice. */
  underWay(): number {
    const lists = ['/proc/self/net/tcp', '/proc/self/net/tcp6'].map((path) => readProc(path) ?? '');
    return lists.reduce((count, list) => count + this.underWayIn(list), 0);
  }

  /** How many of those in a list of the kernel have. */
  underWayIn(list: string): number {
    return list.match(this.#rows)?.length ?? 0;
  }
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
