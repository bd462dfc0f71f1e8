import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import { UserError } from '@understudy/shared/runtime/errors';
import type { MovedAddress } from './keepalived.ts';
import { parseInterface, parseVip } from './parse-vip.ts';

export interface GivenAddress {
  readonly vip?: string;
  readonly interface?: string;
}

/**
 * What keepalived is to move: what was given, else what the configuration says. The interface of an address that the
 * configuration has need not be given. Throws `UserError` where neither says it.
 */
export function movedAddresses(
  configured: readonly VirtualAddress[],
  given: GivenAddress,
): readonly MovedAddress[] {
  const known = configured.map(({ address, prefix, interface: device }) => ({
    vip: `${address}/${prefix}`,
    interface: device,
  }));
  const device = given.interface === undefined ? undefined : parseInterface(given.interface);
  if (given.vip === undefined) {
    if (known.length > 0)
      return known.map((each) => ({ ...each, interface: device ?? each.interface }));
    throw new UserError(
      '--vip is missing, and the configuration has no vip; expected the address that moves, like 10.0.0.10/24',
    );
  }
  const vip = parseVip(given.vip);
  const found = device ?? known.find((each) => each.vip === vip)?.interface;
  if (found !== undefined) return [{ vip, interface: found }];
  throw new UserError(
    `--interface is missing, and vip of the configuration does not have ${vip}; expected the name of a network interface, like eth0`,
  );
}
