import { loadControllerHostConfig } from '@understudy/shared/runtime/config/load';
import { UserError } from '@understudy/shared/runtime/errors';
import type { Command } from 'commander';
import { sourcesFor } from '../context.ts';
import { print } from '../output.ts';

/** `address`: the virtual addresses on this host, without its heartbeat. */
export function addAddressCommand(program: Command): void {
  const address = program
    .command('address')
    .description('the virtual addresses (vip) on this host, without its heartbeat');
  address
    .command('scrub')
    .description(
      'remove them from this host, for when its heartbeat has ended (ExecStopPost= of a unit); an active one adds them again',
    )
    .action(async (_options: unknown, command: Command) => {
      const { vip } = loadControllerHostConfig(sourcesFor(command));
      const { scrubAddresses } = await import('@understudy/heartbeat/address/scrub');
      const error = await scrubAddresses(vip);
      const names = vip.map((each) => `${each.address}/${each.prefix}`).join(', ');
      if (error !== null) throw new UserError(`${names} could not be removed: ${error}`);
      print(vip.length === 0 ? 'there are no virtual addresses' : `not on this host: ${names}`);
    });
}
