import type { VirtualAddress } from '@understudy/shared/runtime/config/types';
import { removeCommands } from './commands.ts';
import { IpBatch } from './ip-batch.ts';

const WITHIN_MS = 2_000;

/** Removes the virtual addresses from this host, whoever put them there. Null: they are off; else what went wrong. */
export async function scrubAddresses(addresses: readonly VirtualAddress[]): Promise<string | null> {
  if (addresses.length === 0) return null;
  return await new IpBatch().run(addresses.flatMap(removeCommands), WITHIN_MS);
}
