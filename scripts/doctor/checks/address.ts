import { addressProblems } from '@understudy/heartbeat/address/facts';
import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import { type Check, type Finding, ok, problem } from '../finding.ts';

/** What this host needs to hold the virtual addresses, by whoever asks. None where none is configured. */
export function addressChecks(addresses: readonly VirtualAddress[]): readonly Check[] {
  return addresses.length === 0 ? [] : [{ name: 'virtual address', look: () => judge(addresses) }];
}

async function judge(addresses: readonly VirtualAddress[]): Promise<readonly Finding[]> {
  const problems = await addressProblems(addresses);
  if (problems.length === 0) {
    return addresses.map(({ address, prefix, interface: device }) =>
      ok('virtual address', `${address}/${prefix} can be held on ${device}`),
    );
  }
  return problems.map((each) => problem('virtual address', each.problem, each.advice));
}
